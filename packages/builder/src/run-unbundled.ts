import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { constants } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { chosenNames } from './bundle/one-core.ts';
import { checkBackends } from './check/check-types.ts';
import { resolve } from './build.ts';
import { entryFiles } from './entry/entry-source.ts';
import { writeEntry } from './entry/work-folder.ts';
import type { EventSink } from './events.ts';
import { makeBuildInfo } from './evidence/build-info.ts';
import type { Manifest } from './manifest/manifest.ts';
import { findInstallation } from './resolve/installation.ts';
import type { LockOptions } from './resolve/resolve-project.ts';
import type { Resolution } from './resolve/resolved-package.ts';
import { inCache } from './store/disk-problem.ts';
import { defaultCacheDir, openStore } from './store/store.ts';
import { openTempFolder } from './store/temp-folder.ts';
import { UserError, UserErrors } from './user-error.ts';

/** What to run. */
export interface RunOptions extends LockOptions {
  readonly manifest: Manifest;
  /** Arguments of the runner. */
  readonly args: readonly string[];
  readonly cwd: string;
  readonly cacheDir?: string;
  readonly onEvent: EventSink;
  /** Called with what the type check found, which does not stop the runner. */
  readonly onFinding: (error: UserError) => void;
  /** Called when the runner was started, with the way to send it signals. From then on it ends in its own time. */
  readonly onStarted?: (send: (name: NodeJS.Signals) => void) => void;
  /** Stops everything before that. */
  readonly signal: AbortSignal;
}

/**
 * Runs the generated entry as it is: Node loads the packages from where they lie, local TypeScript from its sources.
 * Types are checked meanwhile. Resolves to the exit code of the runner.
 */
export async function runUnbundled(options: RunOptions): Promise<number> {
  const cacheDir = options.cacheDir ?? defaultCacheDir(process.env);
  return inCache(cacheDir, () => runIn(cacheDir, options));
}

async function runIn(cacheDir: string, options: RunOptions): Promise<number> {
  const { manifest, cwd, signal, onEvent } = options;
  const installation = findInstallation();
  const store = openStore(cacheDir);
  await using work = await openTempFolder(store.dir);
  const resolution = await resolve({
    options: { ...options, manifest, cwd },
    installation,
    store,
    workDir: work.dir,
    emit: onEvent,
    signal,
  });
  const files = await entryFiles(resolution, path.join(installation.dir, 'templates', 'entry'), store);
  await writeEntry(work.dir, files, makeBuildInfo(resolution, installation));
  await writeFile(path.join(work.dir, 'resolve-hooks.mjs'), resolveHooks(resolution));
  const input = { resolution, workDir: work.dir, allowUntyped: manifest.allowUntyped };
  const checked = checkBackends(input, store, signal).then(
    (report) => report.warnings.forEach(options.onFinding),
    (error: unknown) => reportFindings(error, options),
  );
  const code = await runEntry(work.dir, cacheDir, options);
  await checked;
  return code;
}

function reportFindings(error: unknown, options: RunOptions): void {
  if (error instanceof UserErrors) error.errors.forEach(options.onFinding);
  else if (error instanceof UserError) options.onFinding(error);
  else if (!options.signal.aborted) throw error;
}

/** What the bundler does by plugin, Node does by hook: one copy of the API, and folders wherever they are named. */
function resolveHooks(resolution: Resolution): string {
  return [
    "import { registerHooks } from 'node:module';",
    `const always = ${JSON.stringify(chosenNames(resolution))};`,
    `const folders = ${JSON.stringify([...resolution.folders.keys()])};`,
    "const parentURL = new URL('./entry.mjs', import.meta.url).href;",
    'const isOf = (names, specifier) => names.some((name) => specifier === name || specifier.startsWith(`${name}/`));',
    'const resolve = (specifier, context, next) => {',
    '  if (isOf(always, specifier)) return next(specifier, { ...context, parentURL });',
    '  if (!isOf(folders, specifier)) return next(specifier, context);',
    '  try {',
    '    return next(specifier, context);',
    '  } catch {',
    '    return next(specifier, { ...context, parentURL });',
    '  }',
    '};',
    'registerHooks({ resolve });',
    '',
  ].join('\n');
}

async function runEntry(workDir: string, cacheDir: string, options: RunOptions): Promise<number> {
  const { args, cwd, signal } = options;
  signal.throwIfAborted();
  const child = spawn(
    process.execPath,
    [
      '--conditions=@forgejo-runner/source',
      '--import',
      pathToFileURL(path.join(workDir, 'resolve-hooks.mjs')).href,
      path.join(workDir, 'entry.mjs'),
      ...args,
    ],
    // Compiled code is kept: it halves the time to the first line.
    // In our process group: Ctrl-C reaches the runner from the terminal, and it ends in its own way.
    { cwd, stdio: 'inherit', env: { NODE_COMPILE_CACHE: path.join(cacheDir, 'compiled'), ...process.env } },
  );
  const stop = (): void => void child.kill('SIGTERM');
  signal.addEventListener('abort', stop, { once: true });
  options.onStarted?.((name) => void child.kill(name));
  try {
    const [code, killedBy] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
    return code ?? 128 + (killedBy === null ? 0 : constants.signals[killedBy]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
