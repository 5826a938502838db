import { readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Owner } from '@forgejo-runner/core';
import * as z from 'zod';

export const ownerFileName = 'owner.json';

/** How a folder's name starts until it has its own; the first letters of its boot follow. */
export const unnamed = '.new-';

/** Says whose an environment's folder is. It is there before the folder has its name. */
export interface OwnerFile {
  readonly runner: string;
  readonly boot: string;
  readonly expiresAt: number;
  /** The runner's process: its id may be another's by now, its id and start together never are. */
  readonly process: { readonly pid: number; readonly startedAt: string; readonly namespace: string };
}

const schema: z.ZodType<OwnerFile> = z.object({
  runner: z.string(),
  boot: z.string(),
  expiresAt: z.number(),
  process: z.object({ pid: z.number(), startedAt: z.string(), namespace: z.string() }),
});

/** The owner file of an environment that this process makes. */
export async function ownerFile({ runner, boot }: Owner, expiresAt: number): Promise<OwnerFile> {
  const startedAt = (await startOf(process.pid)) ?? '';
  return { runner, boot, expiresAt, process: { pid: process.pid, startedAt, namespace: await pidNamespace() } };
}

/** Reads the owner of a folder; `undefined` where there is none that can be read. */
export async function readOwner(folder: string): Promise<OwnerFile | undefined> {
  try {
    return schema.parse(JSON.parse(await readFile(join(folder, ownerFileName), 'utf8')));
  } catch {
    return undefined;
  }
}

/** Is the process that made it certainly gone? One in another namespace of processes cannot be seen from here. */
export async function isMakerGone({ process: { pid, startedAt, namespace } }: OwnerFile): Promise<boolean> {
  return namespace === (await pidNamespace()) && startedAt !== (await startOf(pid));
}

function pidNamespace(): Promise<string> {
  return readlink('/proc/self/ns/pid');
}

async function startOf(pid: number): Promise<string | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The name, in parentheses, may hold anything; the start is the 22nd field, the 20th after the name.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}
