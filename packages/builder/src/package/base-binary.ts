import { stat } from 'node:fs/promises';
import { runChild } from '../run-child.ts';
import type { Store } from '../store/store.ts';
import { keyOf } from '../store/store.ts';
import { UserError } from '../user-error.ts';
import { stripBinary } from './strip.ts';

/** A Node binary that executables are made from. */
export interface BaseBinary {
  readonly file: string;
  /** Without symbols, which is a quarter smaller and twice as fast to inject into. */
  readonly isStripped: boolean;
}

/**
 * The base for this machine: the running Node, which is also the generator, so that both agree on the format.
 *
 * @throws UserError `FRB601` when it cannot be one.
 */
export async function findBase(store: Store, workDir: string, signal: AbortSignal): Promise<BaseBinary> {
  const node = process.execPath;
  requireGenerator(process.versions.node, process.config.variables);
  const { size, mtimeMs } = await stat(node);
  const key = keyOf('base-1', process.versions.node, process.platform, process.arch, size, mtimeMs);
  const stripped = await stripBinary(node, key, store, signal);
  if (stripped !== undefined && (await runs(stripped, workDir, signal))) return { file: stripped, isStripped: true };
  return { file: node, isStripped: false };
}

/** Can this Node make executables of itself? @throws UserError `FRB601` */
export function requireGenerator(version: string, variables: Readonly<Record<string, unknown>>): void {
  const major = Number(version.split('.', 1)[0]);
  if (major < 26) throw new UserError('FRB601', `expected Node 26 as base of an executable, found ${version}`);
  const isShared = variables['node_shared'] === true || variables['node_shared'] === 1;
  if (isShared || variables['node_use_lief'] === false) {
    throw new UserError(
      'FRB601',
      `Node ${version} here is built as a shared library or without LIEF, so it cannot be a base`,
    );
  }
}

async function runs(file: string, cwd: string, signal: AbortSignal): Promise<boolean> {
  const result = await runChild(file, ['--version'], { cwd, env: {} }, signal).catch(() => undefined);
  signal.throwIfAborted();
  return result?.stdout.trim() === process.version;
}
