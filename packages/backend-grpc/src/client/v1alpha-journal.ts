import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Owner } from '@forgejo-runner/core';
import * as z from 'zod';

const entrySchema = z.strictObject({
  name: z.string(),
  id: z.string(),
  owner: z.strictObject({ runner: z.string(), boot: z.string() }),
  expiresAt: z.number(),
});

/** An environment that a plugin was asked for, and how it called it. */
export interface JournalEntry {
  readonly name: string;
  readonly id: string;
  readonly owner: Owner;
  readonly expiresAt: number;
}

/** Ids of environments on disk: the protocol has no way to ask a plugin what it has, so what was lost here would stay there. */
export class AlphaJournal {
  readonly #folder: string;

  constructor(stateDir: string) {
    this.#folder = join(stateDir, 'environments');
  }

  async add(entry: JournalEntry): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const file = this.#file(entry.name);
    // Whole or not at all, whenever this process is killed.
    await writeFile(`${file}.new`, JSON.stringify(entry), { mode: 0o600 });
    await rename(`${file}.new`, file);
  }

  async remove(name: string): Promise<void> {
    await rm(this.#file(name), { force: true });
  }

  async list(): Promise<readonly JournalEntry[]> {
    const names = await readdir(this.#folder).catch(() => []);
    const files = names.filter((name) => name.endsWith('.json'));
    const read = await Promise.all(files.map((name) => this.#read(join(this.#folder, name))));
    return read.filter((entry) => entry !== undefined);
  }

  async #read(file: string): Promise<JournalEntry | undefined> {
    try {
      return entrySchema.parse(JSON.parse(await readFile(file, 'utf8')));
    } catch {
      // Nothing of ours.
      return undefined;
    }
  }

  #file(name: string): string {
    // Names are of a-z, 0-9 and "-".
    return join(this.#folder, `${name}.json`);
  }
}
