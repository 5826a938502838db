import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { build, resolve } from './build.ts';
import { checkBackends } from './check/check-types.ts';
import { type EventSink, runStep } from './events.ts';
import { defaultBackends } from './manifest/layer.ts';
import { manifestFromFlags } from './manifest/manifest.ts';
import { findInstallation } from './resolve/installation.ts';
import type { ResolvedBackend } from './resolve/resolved-package.ts';
import { inCache } from './store/disk-problem.ts';
import { defaultCacheDir, openStore } from './store/store.ts';
import { openTempFolder } from './store/temp-folder.ts';
import { shown, UserError } from './user-error.ts';

/** What to test. */
export interface TestOptions {
  /** The package, as `--with` takes it. */
  readonly spec: string;
  readonly cwd: string;
  /** A module that exports `conformance`, or a JSON file with options of the suite. */
  readonly config?: string;
  readonly lane: 'quick' | 'full' | 'nightly';
  /** A runner that has the backend built in, for the workflows of the suite; false for none. Default: one is built. */
  readonly runner?: string | false;
  readonly allowUntyped?: readonly string[];
  readonly cacheDir?: string;
  readonly onEvent: EventSink;
  readonly onCheck: (result: TestedCheck) => void;
  readonly signal: AbortSignal;
}

/** How one check of the conformance suite went. */
export interface TestedCheck {
  readonly id: string;
  readonly title: string;
  readonly status: 'passed' | 'failed' | 'skipped';
  readonly reason?: string;
  readonly ms: number;
}

/** The verdict of the suite. It has more members, which `@forgejo-runner/testkit` describes. */
export interface TestVerdict {
  readonly suite: string;
  readonly backend: string;
  readonly isPassed: boolean;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly checks: readonly TestedCheck[];
}

const checkSchema: z.ZodType<TestedCheck> = z.looseObject({
  id: z.string(),
  title: z.string(),
  status: z.enum(['passed', 'failed', 'skipped']),
  reason: z.string().exactOptional(),
  ms: z.number(),
});

const verdictSchema: z.ZodType<TestVerdict> = z.looseObject({
  suite: z.string(),
  backend: z.string(),
  isPassed: z.boolean(),
  passed: z.number(),
  failed: z.number(),
  skipped: z.number(),
  checks: z.array(checkSchema),
});

const lineSchema = z.union([
  z.object({ event: z.literal('check'), result: checkSchema }),
  z.object({ event: z.literal('verdict'), verdict: verdictSchema }),
]);

const suiteName = '@forgejo-runner/testkit';

/**
 * Resolves a backend package, checks its types against the API and runs the conformance suite on it in a process of its
 * own, with the testkit that the package has installed.
 *
 * @throws UserError `FRB521` without a testkit, `FRB522` when the suite breaks off, and what resolving and checking throw.
 */
export async function testBackend(options: TestOptions): Promise<TestVerdict> {
  const cacheDir = options.cacheDir ?? defaultCacheDir(process.env);
  return inCache(cacheDir, async () => {
    const backend = await checkedBackend(cacheDir, options);
    await using work = await openTempFolder(cacheDir);
    const runner = await runnerFor(options, { cacheDir, output: path.join(work.dir, 'runner.mjs') });
    // Awaited here: the folder goes at the end of this block.
    return await runSuite(backend, { ...options, runner });
  });
}

/** File of the runner for workflows: the one that was given, or one with this backend and no other. */
async function runnerFor(
  { spec, cwd, runner, allowUntyped = [], onEvent, signal }: TestOptions,
  { cacheDir, output }: { readonly cacheDir: string; readonly output: string },
): Promise<string | false> {
  if (runner !== undefined) return runner === false ? false : path.resolve(cwd, runner);
  const flags = { with: [spec], without: Object.keys(defaultBackends), allowUntyped };
  const manifest = manifestFromFlags(flags, cwd, findInstallation().version);
  await build({ manifest, output, isExecutable: false, cwd, cacheDir, onEvent, signal });
  return output;
}

async function checkedBackend(cacheDir: string, options: TestOptions): Promise<ResolvedBackend> {
  const { cwd, signal, onEvent } = options;
  const installation = findInstallation();
  const store = openStore(cacheDir);
  await using work = await openTempFolder(store.dir);
  const without = Object.keys(defaultBackends);
  const flags = { with: [options.spec], without, allowUntyped: options.allowUntyped ?? [] };
  const manifest = manifestFromFlags(flags, cwd, installation.version);
  const parts = { options: { manifest, cwd }, installation, store, workDir: work.dir, emit: onEvent, signal };
  const resolution = await resolve(parts);
  await runStep('check', onEvent, async () => {
    const input = { resolution, workDir: work.dir, allowUntyped: manifest.allowUntyped };
    return { result: undefined, detail: (await checkBackends(input, store, signal)).summary };
  });
  const [backend] = resolution.backends;
  if (backend === undefined) throw new Error('a package was asked for and none was resolved');
  return backend;
}

async function runSuite(
  backend: ResolvedBackend,
  options: TestOptions & { readonly runner: string | false },
): Promise<TestVerdict> {
  const program = findSuite(backend);
  const { dir, name, field } = backend;
  const { cwd, lane, runner } = options;
  const config = options.config === undefined ? {} : { config: path.resolve(cwd, options.config) };
  const request = JSON.stringify({ dir, name, export: field.export, lane, runner, ...config });
  // Node takes no TypeScript below node_modules: sources are for checkouts.
  const flags = program.endsWith('.ts') ? ['--conditions=@forgejo-runner/source'] : [];
  const child = spawn(process.execPath, [...flags, program, request], {
    cwd: options.cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit');
  let words = '';
  child.stderr.on('data', (chunk: Buffer) => void (words = (words + chunk.toString()).slice(-4000)));
  const stop = (): void => void child.kill('SIGTERM');
  options.signal.addEventListener('abort', stop, { once: true });
  try {
    options.signal.throwIfAborted();
    const verdict = await readLines(child.stdout, options.onCheck);
    await exited;
    options.signal.throwIfAborted();
    if (verdict !== undefined) return verdict;
    throw new UserError('FRB522', `expected a verdict on ${name}, found that the suite broke off: ${shown(words)}`);
  } finally {
    options.signal.removeEventListener('abort', stop);
    stop();
  }
}

/** What the backend prints itself, on the same stream, is nobody's line. */
async function readLines(
  stdout: NodeJS.ReadableStream,
  onCheck: TestOptions['onCheck'],
): Promise<TestVerdict | undefined> {
  let verdict: TestVerdict | undefined;
  for await (const line of createInterface({ input: stdout })) {
    const read = lineSchema.safeParse(parsed(line));
    if (read.data?.event === 'check') onCheck(read.data.result);
    if (read.data?.event === 'verdict') verdict = read.data.verdict;
  }
  return verdict;
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** The suite of the package itself, so that an author chooses its version; else what the builder can see. */
function findSuite({ dir, name }: ResolvedBackend): string {
  for (const from of [dir, findInstallation().dir]) {
    try {
      return realpathSync(createRequire(path.join(from, 'package.json')).resolve(`${suiteName}/suite-process`));
    } catch {
      // The next place may have it.
    }
  }
  throw new UserError('FRB521', `expected ${suiteName} in ${name}, found none`, { where: dir });
}
