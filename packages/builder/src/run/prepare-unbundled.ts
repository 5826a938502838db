import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { chosenNames } from '../bundle/one-core.ts';
import { checkBackends } from '../check/check-types.ts';
import { resolve } from '../build.ts';
import { entryFiles } from '../entry/entry-source.ts';
import { writeEntry } from '../entry/work-folder.ts';
import { makeBuildInfo } from '../evidence/build-info.ts';
import { coreName, findInstallation } from '../resolve/installation.ts';
import { coreSpecifier, type Resolution } from '../resolve/resolved-package.ts';
import { openStore } from '../store/store.ts';
import { openTempFolder } from '../store/temp-folder.ts';
import { reportFindings } from './report-findings.ts';
import type { Prepared, RunOptions } from './run-options.ts';

/**
 * Lays out the generated entry as it is: Node loads the packages from where they lie, local TypeScript from its sources.
 * Types are checked meanwhile.
 */
export async function prepareUnbundled(cacheDir: string, options: RunOptions): Promise<Prepared> {
  const { manifest, signal } = options;
  const installation = findInstallation();
  const store = openStore(cacheDir);
  const work = await openTempFolder(store.dir);
  try {
    const place = { installation, store, workDir: work.dir };
    const resolution = await resolve({ options, ...place, emit: options.onEvent, signal });
    const files = await entryFiles(resolution, path.join(installation.dir, 'templates', 'entry'), store);
    await writeEntry(work.dir, files, makeBuildInfo(resolution, installation));
    await writeFile(path.join(work.dir, 'resolve-hooks.mjs'), resolveHooks(resolution));
    const input = { resolution, workDir: work.dir, allowUntyped: manifest.allowUntyped };
    const checked = checkBackends(input, store, signal).then(
      (report) => report.warnings.forEach(options.onFinding),
      (error: unknown) => reportFindings(error, options),
    );
    return { command: commandOf(work.dir), env: environment(cacheDir), checked, ...untilChecked(work, checked) };
  } catch (error) {
    await work[Symbol.asyncDispose]();
    throw error;
  }
}

/** The check reads the work folder, so that goes last. */
function untilChecked(work: AsyncDisposable, checked: Promise<void>): AsyncDisposable {
  return {
    [Symbol.asyncDispose]: async () => {
      await checked.catch(() => undefined);
      await work[Symbol.asyncDispose]();
    },
  };
}

function commandOf(workDir: string): readonly string[] {
  return [
    process.execPath,
    '--conditions=@forgejo-runner/source',
    '--import',
    pathToFileURL(path.join(workDir, 'resolve-hooks.mjs')).href,
    path.join(workDir, 'entry.mjs'),
  ];
}

/** Compiled code is kept: it halves the time to the first line. */
function environment(cacheDir: string): Prepared['env'] {
  return { NODE_COMPILE_CACHE: path.join(cacheDir, 'compiled'), ...process.env };
}

/** Folders of backends for an older API, and what they mean by it. */
function olderOf({ backends }: Resolution): readonly (readonly [string, string])[] {
  const older = backends.filter((one) => one.served !== undefined);
  return older.map((one) => [`${pathToFileURL(one.dir).href}/`, coreSpecifier(one)]);
}

/** What the bundler does by plugin, Node does by hook: one copy of the API, and folders wherever they are named. */
function resolveHooks(resolution: Resolution): string {
  return [
    "import { registerHooks } from 'node:module';",
    `const always = ${JSON.stringify(chosenNames(resolution))};`,
    `const folders = ${JSON.stringify([...resolution.folders.keys()])};`,
    "const parentURL = new URL('./entry.mjs', import.meta.url).href;",
    `const older = ${JSON.stringify(olderOf(resolution))};`,
    'const isOf = (names, specifier) => names.some((name) => specifier === name || specifier.startsWith(`${name}/`));',
    'const resolve = (specifier, context, next) => {',
    `  const from = specifier === '${coreName}' && older.find(([place]) => context.parentURL?.startsWith(place));`,
    '  if (from) return next(from[1], { ...context, parentURL });',
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
