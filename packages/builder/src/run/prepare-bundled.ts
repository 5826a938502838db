import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { build } from '../build.ts';
import { keyOf } from '../store/store.ts';
import type { Prepared, RunOptions } from './run-options.ts';

/** Builds the JavaScript file, as `build` does it, into the cache: a start where nothing changed builds nothing. */
export async function prepareBundled(cacheDir: string, options: RunOptions): Promise<Prepared> {
  const { args: _args, isBundled: _isBundled, isWatched: _isWatched, onStarted: _onStarted, ...asked } = options;
  const { onFinding: _onFinding, ...request } = asked;
  const dir = path.join(cacheDir, 'runs');
  await mkdir(dir, { recursive: true });
  const names = options.manifest.backends.map((spec) => spec.text);
  const output = path.join(dir, `${keyOf('run-1', options.cwd, names)}.mjs`);
  await build({ ...request, output, isExecutable: false, cacheDir });
  return {
    command: [process.execPath, output],
    env: process.env,
    checked: Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
