import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

/** Says whose an environment's folder is. It is there before the folder has its name. */
export interface OwnerFile {
  readonly runner: string;
  readonly boot: string;
  readonly expiresAt: number;
}

export const ownerFileName = 'owner.json';

/** How a folder's name starts until it has its own; the first letters of its boot follow. */
export const unnamed = '.new-';

const schema = z.object({ runner: z.string(), boot: z.string(), expiresAt: z.number() });

/** Reads the owner of a folder; `undefined` where there is none that can be read. */
export async function readOwner(folder: string): Promise<OwnerFile | undefined> {
  try {
    return schema.parse(JSON.parse(await readFile(join(folder, ownerFileName), 'utf8')));
  } catch {
    return undefined;
  }
}
