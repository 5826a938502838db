import { createHash, randomUUID } from 'node:crypto';
import { link, mkdir, open, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { homedir, hostname } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { z } from 'zod';
import { sumFolder } from './sums.ts';

/** A kind of thing that is kept. */
export type Room = 'results' | 'trees' | 'locks' | 'pins' | 'bases' | 'checks' | 'entries' | 'hazards';

/** What one build leaves for the next: keyed by content, written whole or not at all, shared between builds at once. */
export interface Store {
  readonly dir: string;
  /** The folder of a key if it is there. */
  readonly findFolder: (room: Room, key: string) => Promise<string | undefined>;
  /**
   * The folder of a key, made by `make` in a temporary place when it is not there, with the checksums of its files. Two builders that need the same
   * folder at the same time make it once.
   */
  readonly folder: (
    room: Room,
    key: string,
    make: (dir: string) => Promise<void>,
    signal: AbortSignal,
  ) => Promise<string>;
  /** A value as it was written, or undefined when there is none or it is damaged. */
  readonly readJson: (room: Room, key: string) => Promise<unknown>;
  readonly writeJson: (room: Room, key: string, value: unknown) => Promise<void>;
}

/** A key from whatever determines a content: equal values, equal keys. */
export function keyOf(...parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
}

/** Where the cache lies unless a flag says otherwise: the variable, then what each platform uses for caches. */
export function defaultCacheDir(env: Readonly<Record<string, string | undefined>>): string {
  const named = env['FORGEJO_RUNNER_BUILD_CACHE'];
  if (named !== undefined && named !== '') return path.resolve(named);
  const name = 'forgejo-runner-build';
  if (process.platform === 'win32' && env['LOCALAPPDATA'] !== undefined) return path.join(env['LOCALAPPDATA'], name);
  if (process.platform === 'darwin') return path.join(homedir(), 'Library', 'Caches', name);
  const xdg = env['XDG_CACHE_HOME'];
  return path.join(xdg !== undefined && path.isAbsolute(xdg) ? xdg : path.join(homedir(), '.cache'), name);
}

/** Opens the store in a folder, which is made on first use. */
export function openStore(dir: string): Store {
  const place = (room: Room, key: string): string => path.join(dir, room, key);
  return {
    dir,
    findFolder: async (room, key) => ((await isFolder(place(room, key))) ? place(room, key) : undefined),
    folder: async (room, key, make, signal) => {
      const target = place(room, key);
      if (await isFolder(target)) {
        // The cache goes by when something was last used.
        const now = new Date();
        await utimes(target, now, now).catch(() => undefined);
        return target;
      }
      await mkdir(path.dirname(target), { recursive: true });
      await using _lock = await acquireLock(`${target}.lock`, signal);
      if (!(await isFolder(target))) await makeFolder(target, make);
      return target;
    },
    readJson: (room, key) => readJsonFile(`${place(room, key)}.json`),
    writeJson: async (room, key, value) => {
      await mkdir(path.join(dir, room), { recursive: true });
      await replaceFile(`${place(room, key)}.json`, JSON.stringify(value));
    },
  };
}

async function isFolder(dir: string): Promise<boolean> {
  return stat(dir).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

async function makeFolder(target: string, make: (dir: string) => Promise<void>): Promise<void> {
  // Beside the target and at the same depth: relative links inside stay right when it is renamed.
  const temporary = `${target}.${process.pid}-${randomUUID().slice(0, 8)}.tmp`;
  await mkdir(temporary, { mode: 0o700 });
  try {
    await make(temporary);
    await sumFolder(temporary);
    await rename(temporary, target);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function readJsonFile(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch {
    // Missing or damaged: made anew either way.
    return undefined;
  }
}

async function replaceFile(file: string, text: string): Promise<void> {
  const temporary = `${file}.${process.pid}-${randomUUID().slice(0, 8)}.tmp`;
  try {
    await using handle = await open(temporary, 'wx', 0o600);
    await handle.writeFile(text);
    await rename(temporary, file);
  } finally {
    await rm(temporary, { force: true });
  }
}

const lockSchema = z.object({ pid: z.number().int(), host: z.string() });
const foreignLockAgeMs = 15 * 60_000;

/** Holds a lock file until disposed. Waits for another process that holds it, takes over from one that died. */
export async function acquireLock(file: string, signal: AbortSignal): Promise<AsyncDisposable> {
  for (;;) {
    signal.throwIfAborted();
    if (await createLock(file)) return { [Symbol.asyncDispose]: () => rm(file, { force: true }) };
    if (await isAbandoned(file)) await breakLock(file);
    else await wait(50, undefined, { signal });
  }
}

async function createLock(file: string): Promise<boolean> {
  try {
    await using handle = await open(file, 'wx', 0o600);
    await handle.writeFile(JSON.stringify({ pid: process.pid, host: hostname() }));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Was a lock left by a process that is gone? */
export async function isAbandoned(file: string): Promise<boolean> {
  const age = await stat(file).then(
    (found) => Date.now() - found.mtimeMs,
    () => 0,
  );
  const held = lockSchema.safeParse(await readJsonFile(file));
  // Just created and not written yet, or written by a machine whose processes we cannot see: only age tells.
  if (!held.success || held.data.host !== hostname()) return age > foreignLockAgeMs;
  return !isRunning(held.data.pid);
}

async function breakLock(file: string): Promise<void> {
  // Another builder may have broken it and taken its own since we looked: such a lock is put back.
  const aside = `${file}.${process.pid}-${randomUUID().slice(0, 8)}.broken`;
  await rename(file, aside).catch(() => undefined);
  const held = lockSchema.safeParse(await readJsonFile(aside));
  if (held.success && held.data.host === hostname() && isRunning(held.data.pid)) {
    await link(aside, file).catch(() => undefined);
  }
  await rm(aside, { force: true });
}

/** Is a process of this machine running? One of another user counts as running. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
