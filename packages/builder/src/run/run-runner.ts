import type { Manifest } from '../manifest/manifest.ts';
import { folderPackages } from '../resolve/folder-packages.ts';
import { findInstallation } from '../resolve/installation.ts';
import { realFolder } from '../resolve/package-json.ts';
import { inCache } from '../store/disk-problem.ts';
import { defaultCacheDir } from '../store/store.ts';
import { prepareBundled } from './prepare-bundled.ts';
import { prepareUnbundled } from './prepare-unbundled.ts';
import { reportFindings } from './report-findings.ts';
import type { Prepared, RunOptions } from './run-options.ts';
import { type StartedRunner, startRunner } from './start-runner.ts';
import { watchFolders } from './watch-folders.ts';

/**
 * Runs a runner without a build, or watches what it is made of and keeps it running. Resolves to the exit code of the
 * runner, the last one.
 *
 * @throws UserError, or UserErrors, when it cannot be made. Not while watching: then they are findings.
 */
export async function runRunner(options: RunOptions): Promise<number> {
  const cacheDir = options.cacheDir ?? defaultCacheDir(process.env);
  return inCache(cacheDir, () =>
    options.isWatched === true ? watchRuns(cacheDir, options) : runOnce(cacheDir, options),
  );
}

function prepare(cacheDir: string, options: RunOptions): Promise<Prepared> {
  return options.isBundled === true ? prepareBundled(cacheDir, options) : prepareUnbundled(cacheDir, options);
}

async function runOnce(cacheDir: string, options: RunOptions): Promise<number> {
  const { args, cwd, signal } = options;
  await using prepared = await prepare(cacheDir, options);
  signal.throwIfAborted();
  const runner = startRunner([...prepared.command, ...args], cwd, prepared.env);
  const stop = (): void => runner.send('SIGTERM');
  signal.addEventListener('abort', stop, { once: true });
  options.onStarted?.(runner.send);
  try {
    const code = await runner.ended;
    await prepared.checked;
    return code;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

async function watchRuns(cacheDir: string, options: RunOptions): Promise<number> {
  using folders = watchFolders(await localFolders(options.manifest));
  const stop = new AbortController();
  const stopped = AbortSignal.any([options.signal, stop.signal]);
  let running: StartedRunner | undefined;
  let code = 0;
  options.onStarted?.((name) => {
    running?.send(name);
    stop.abort();
  });
  while (!stopped.aborted) {
    const changed = folders.changed(stopped).then(
      () => true,
      () => false,
    );
    const round = new AbortController();
    const ended = runRound(cacheDir, { ...options, signal: AbortSignal.any([stopped, round.signal]) }, (runner) => {
      running = runner;
    });
    const first = await Promise.race([ended.then((how) => ({ how })), changed]);
    if (typeof first === 'object' && !stopped.aborted) {
      const how = first.how === undefined ? 'it could not be started' : `the runner ended with ${first.how}`;
      options.onEvent({ event: 'note', message: `${how}; waiting for a change` });
    }
    const isChanged = await changed;
    if (isChanged) {
      options.onEvent({ event: 'note', message: 'something changed; starting again' });
      round.abort(new Error('something changed'));
    }
    if (isChanged) await running?.stop();
    code = (await ended) ?? 1;
    running = undefined;
  }
  options.signal.throwIfAborted();
  return code;
}

/** One start of a watched runner, to its end. Undefined when it could not be started. */
async function runRound(
  cacheDir: string,
  options: RunOptions,
  onRunner: (runner: StartedRunner) => void,
): Promise<number | undefined> {
  try {
    await using prepared = await prepare(cacheDir, options);
    options.signal.throwIfAborted();
    const runner = startRunner([...prepared.command, ...options.args], options.cwd, prepared.env);
    onRunner(runner);
    const code = await runner.ended;
    await prepared.checked;
    return code;
  } catch (error) {
    if (!options.signal.aborted) reportFindings(error, options);
    return undefined;
  }
}

/** Folders of a manifest that somebody may be working on. */
async function localFolders(manifest: Manifest): Promise<readonly string[]> {
  const folders = await folderPackages(manifest, findInstallation());
  const chosen = manifest.backends.flatMap((spec) => (spec.kind === 'path' ? [spec.path] : []));
  return [...new Set([...folders.values(), ...(await Promise.all(chosen.map(realFolder)))])];
}
