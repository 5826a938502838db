import { copyFile } from 'node:fs/promises';
import path from 'node:path';
import { runChild } from '../run-child.ts';
import type { Store } from '../store/store.ts';

/**
 * A Node binary without its symbols, made once per key with the platform's `strip`. Undefined where there is none.
 * It has to happen before injection: measured, stripping a finished executable destroys it.
 */
export async function stripBinary(
  node: string,
  key: string,
  store: Store,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (process.platform !== 'linux') return undefined;
  try {
    const dir = await store.folder('bases', key, (temporary) => strip(node, temporary, signal), signal);
    return path.join(dir, 'node');
  } catch {
    // No strip, or one that cannot read this binary: the base is larger then, nothing else.
    signal.throwIfAborted();
    return undefined;
  }
}

async function strip(node: string, dir: string, signal: AbortSignal): Promise<void> {
  const target = path.join(dir, 'node');
  await copyFile(node, target);
  const env = process.env['PATH'] === undefined ? {} : { PATH: process.env['PATH'] };
  const result = await runChild('strip', [target], { cwd: dir, env }, signal);
  if (result.code !== 0) throw new Error(`strip failed: ${result.stderr}`);
}
