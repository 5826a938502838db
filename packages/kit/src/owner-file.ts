import { open, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Owner } from '@forgejo-runner/core';
import * as z from 'zod';
import type { ProcessIdentity } from './process-identity.ts';

/** Name of the file in a job folder that says whose it is. */
export const ownerFileName = '.forgejo-runner-owner.json';

/** Names of environments, as the contract has them. */
export const namePattern: RegExp = /^[a-z0-9][a-z0-9-]{0,39}$/;

/** Whose a job folder is, and how its processes are found. */
export interface OwnerFile {
  readonly version: 1;
  readonly name: string;
  readonly owner: Owner;
  readonly process: ProcessIdentity;
  /** What the processes of the job carry in their environment. */
  readonly marker: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

const schema: z.ZodType<OwnerFile> = z.object({
  version: z.literal(1),
  name: z.string().regex(namePattern),
  owner: z.object({ runner: z.string().min(1), boot: z.string().min(1) }),
  process: z.object({
    host: z.string(),
    machineBoot: z.string(),
    pidNamespace: z.string(),
    pid: z.int().positive(),
    started: z.string(),
  }),
  marker: z.string().regex(/^[0-9a-f]{32}$/),
  expiresAt: z.number(),
});

/** No owner file of ours is larger. */
const limitBytes = 16 * 1024;

/** Writes the owner file and waits until it is on the disk. */
export async function writeOwnerFile(folder: string, content: OwnerFile): Promise<void> {
  await using handle = await open(path.join(folder, ownerFileName), 'wx', 0o600);
  await handle.writeFile(JSON.stringify(content));
  // A power failure must not leave a folder whose owner file is empty.
  await handle.sync();
}

/** Reads the owner file of a folder; `undefined` where there is none that is ours and names this folder. */
export async function readOwnerFile(folder: string): Promise<OwnerFile | undefined> {
  try {
    const bytes = await readFile(path.join(folder, ownerFileName));
    if (bytes.length > limitBytes) return undefined;
    const read = schema.safeParse(JSON.parse(bytes.toString('utf8')));
    return read.success && read.data.name === path.basename(folder) ? read.data : undefined;
  } catch {
    return undefined; // no folder, no file, no JSON: not ours
  }
}
