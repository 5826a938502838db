import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';

/**
 * Says to other processes of the same user that this one is alive, for as long as it is: by a lock of the operating
 * system, which ends with the process whatever ends it. A process id would not do: it may belong to another process by
 * now, and means nothing in another container that shares the folder.
 */
export interface LifeSign extends AsyncDisposable {
  readonly boot: string;
}

/** Of this process: a lock that nobody refers to any more would be collected, and given back with that. */
const held = new Set<DatabaseSync>();

/** Gives a life sign for a start of the runner. @throws Error of the file system, or where another process has it. */
export async function giveLifeSign(folder: string, boot: string): Promise<LifeSign> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = lockPath(folder, boot);
  const lock = await openLock(path);
  if (lock === undefined) throw new Error(`expected a start of its own, found one that is alive: ${boot}`);
  held.add(lock);
  return {
    boot,
    [Symbol.asyncDispose]: async () => {
      held.delete(lock);
      lock.close();
      await rm(path, { force: true });
    },
  };
}

/** Whether the process of a start is alive. What a dead one left is removed. */
export async function isAlive(folder: string, boot: string): Promise<boolean> {
  const path = lockPath(folder, boot);
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return false;
  const lock = await openLock(path);
  if (lock === undefined) return true;
  lock.close();
  await rm(path, { force: true });
  return false;
}

function lockPath(folder: string, boot: string): string {
  // It may come from a file that somebody else wrote.
  if (!/^[\w-]{1,64}$/.test(boot)) throw new Error('expected the id of a start, found something else');
  return join(folder, `${boot}.alive`);
}

/** Node has no lock of files; SQLite has one that works on every platform. `undefined` where another process holds it. */
async function openLock(path: string): Promise<DatabaseSync | undefined> {
  const { DatabaseSync } = await import('node:sqlite');
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec('BEGIN EXCLUSIVE');
    return database;
  } catch (error) {
    database.close();
    if (error instanceof Error && /locked|busy/i.test(error.message)) return undefined;
    throw error;
  }
}
