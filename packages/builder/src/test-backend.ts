import path from 'node:path';
import { build, resolve } from './build.ts';
import { checkBackends } from './check/check-types.ts';
import { type EventSink, runStep } from './events.ts';
import { runSuite, type SuiteOptions, type TestVerdict } from './gate/suite-run.ts';
import { defaultBackends } from './manifest/layer.ts';
import { manifestFromFlags } from './manifest/manifest.ts';
import { findInstallation } from './resolve/installation.ts';
import type { ResolvedBackend } from './resolve/resolved-package.ts';
import { inCache } from './store/disk-problem.ts';
import { defaultCacheDir, openStore } from './store/store.ts';
import { openTempFolder } from './store/temp-folder.ts';

/** What to test. */
export interface TestOptions extends Omit<SuiteOptions, 'runner'> {
  /** The package, as `--with` takes it. */
  readonly spec: string;
  /** A runner that has the backend built in, for the workflows of the suite; false for none. Default: one is built. */
  readonly runner?: string | false;
  readonly allowUntyped?: readonly string[];
  readonly cacheDir?: string;
  readonly onEvent: EventSink;
}

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
