import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** The contents of entries as files, by number. */
export class CacheFiles {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Takes a file over. */
  async adopt(path: string, id: number): Promise<void> {
    const to = this.#path(id);
    await mkdir(dirname(to), { recursive: true, mode: 0o700 });
    await rename(path, to);
  }

  /** `undefined` where it is gone. */
  async open(id: number): Promise<FileHandle | undefined> {
    return open(this.#path(id), 'r').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
  }

  async remove(id: number): Promise<void> {
    await rm(this.#path(id), { force: true });
  }

  /** Removes files that no entry knows, which is what a runner that was killed leaves. @returns how many. */
  async sweep(isKnown: (id: number) => boolean, beforeMs: number): Promise<number> {
    let removed = 0;
    for (const folder of await readdir(this.#folder).catch(() => [])) {
      for (const name of await readdir(join(this.#folder, folder)).catch(() => [])) {
        if (isKnown(Number(name))) continue;
        const path = join(this.#folder, folder, name);
        const found = await stat(path).catch(() => undefined);
        // Younger ones may be of another process, which is about to make them known.
        if (found === undefined || found.ctimeMs >= beforeMs) continue;
        await rm(path, { force: true });
        removed += 1;
      }
    }
    return removed;
  }

  #path(id: number): string {
    return join(this.#folder, (id % 256).toString(16).padStart(2, '0'), String(id));
  }
}
