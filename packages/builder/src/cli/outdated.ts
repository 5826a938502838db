import { lockFileOf, manifestName } from '../manifest/load-manifest.ts';
import path from 'node:path';
import { type BuildLock, readLockFile } from '../resolve/lock.ts';
import { openNpm } from '../resolve/npm.ts';
import { findOutdated, whyInstalled } from '../resolve/outdated.ts';
import { quoted, UserError } from '../user-error.ts';
import type { LockReadFlags } from './define-lock.ts';
import { exitCodes } from './exit-codes.ts';

/** The command `outdated`. Resolves to its exit code. */
export async function outdatedCommand(flags: LockReadFlags, signal: AbortSignal): Promise<number> {
  const lock = await requireLock(flags);
  const found = await findOutdated(lock, openNpm(process.cwd(), process.env), signal);
  if (flags.json === true) process.stdout.write(`${JSON.stringify({ schema: 1, packages: found }, undefined, 2)}\n`);
  else if (found.length === 0) process.stdout.write('nothing newer\n');
  for (const { name, locked, wanted, latest } of flags.json === true ? [] : found) {
    process.stdout.write(`${name}  locked ${locked}  update gives ${wanted}  latest ${latest}\n`);
  }
  return exitCodes.done;
}

/** The command `why`. Resolves to its exit code. */
export async function whyCommand(name: string, flags: LockReadFlags): Promise<number> {
  const chains = whyInstalled(name, await requireLock(flags));
  if (flags.json === true) process.stdout.write(`${JSON.stringify({ schema: 1, name, chains }, undefined, 2)}\n`);
  else if (chains.length === 0) process.stdout.write(`nothing needs ${name}\n`);
  else for (const chain of chains) process.stdout.write(`${chain.join(' > ')}\n`);
  return exitCodes.done;
}

async function requireLock(flags: LockReadFlags): Promise<BuildLock> {
  const file = lockFileOf(path.resolve(flags.manifest ?? manifestName));
  const lock = await readLockFile(file);
  if (lock !== undefined) return lock;
  throw new UserError('FRB314', `expected a lock at ${quoted(file)}, found none`, {
    next: 'make one: forgejo-runner-build fetch',
  });
}
