import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { findInstallation } from '../resolve/installation.ts';
import type { ResolvedBackend } from '../resolve/resolved-package.ts';
import { shown, UserError } from '../user-error.ts';

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
  readonly lane: string;
  readonly label?: string;
  readonly platform: string;
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
  lane: z.string(),
  label: z.string().exactOptional(),
  platform: z.string(),
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

/** What a run of the suite takes beside the backend. */
export interface SuiteOptions {
  readonly cwd: string;
  readonly lane: 'quick' | 'full' | 'nightly';
  /** A module that exports `conformance`, or a JSON file with options of the suite. */
  readonly config?: string;
  /** A runner that has the backend built in, for the workflows of the suite; false for none. */
  readonly runner: string | false;
  readonly onCheck: (result: TestedCheck) => void;
  readonly signal: AbortSignal;
}

/** Runs the conformance suite on a backend in a process of its own. @throws UserError `FRB521`, `FRB522` */
export async function runSuite(backend: ResolvedBackend, options: SuiteOptions): Promise<TestVerdict> {
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
  onCheck: SuiteOptions['onCheck'],
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
