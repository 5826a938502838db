import { readFile, realpath } from 'node:fs/promises';
import path from 'node:path';
import type { Target } from '../package/target.ts';
import { hostTarget } from '../package/target.ts';
import { UserError } from '../user-error.ts';

/** A library, by the name that it is asked for, with its content. */
export interface Library {
  /** Absolute, in the image. */
  readonly place: string;
  readonly content: Buffer;
}

const tags = { needed: 1, strings: 5 } as const;
const segments = { load: 1, dynamic: 2, interpreter: 3 } as const;

/**
 * The libraries that an ELF program needs, and those that these need, from this machine: from its own folders, or from those of
 * Debian's cross packages for another processor. They lie in the image where the loader of their distribution looks first.
 *
 * @throws UserError `FRB605` when one is not here.
 */
export async function findLibraries(program: Buffer, target: Target): Promise<readonly Library[]> {
  const triplet = target === 'linux-arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';
  const own = [`/lib/${triplet}`, `/usr/lib/${triplet}`, '/lib64', '/usr/lib64', '/lib', '/usr/lib'];
  const folders = target === hostTarget() ? own : [`/usr/${triplet}/lib`, `/lib/${triplet}`, `/usr/lib/${triplet}`];
  const inImage = (folder: string): string => (folder === `/usr/${triplet}/lib` ? `/lib/${triplet}` : folder);
  const found = new Map<string, Library>();
  const loader = interpreterOf(program);
  const pending = [...neededBy(program), path.basename(loader)];
  for (let name = pending.shift(); name !== undefined; name = pending.shift()) {
    if (found.has(name)) continue;
    const { folder, content } = await readFrom(folders, name, target);
    const place = name === path.basename(loader) ? loader : `${inImage(folder)}/${name}`;
    found.set(name, { place, content });
    pending.push(...neededBy(content));
  }
  return [...found.values()];
}

async function readFrom(
  folders: readonly string[],
  name: string,
  target: Target,
): Promise<{ readonly folder: string; readonly content: Buffer }> {
  for (const folder of folders) {
    const file = await realpath(path.join(folder, name)).catch(() => undefined);
    if (file !== undefined) return { folder, content: await readFile(file) };
  }
  const packages = ['libc6', 'libstdc++6', 'libgcc-s1', 'libatomic1'];
  const suffix = target === hostTarget() ? '' : target === 'linux-arm64' ? '-arm64-cross' : '-amd64-cross';
  throw new UserError('FRB605', `the image for ${target} needs ${name}, which is not on this machine`, {
    next: `on Debian: apt install ${packages.map((one) => `${one}${suffix}`).join(' ')}`,
  });
}

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly bytes: number;
}

function segmentsOf(file: Buffer): readonly Segment[] {
  const start = Number(file.readBigUInt64LE(32));
  return Array.from({ length: file.readUInt16LE(56) }, (_, index) => {
    const at = start + index * 56;
    const long = (offset: number): number => Number(file.readBigUInt64LE(at + offset));
    return { type: file.readUInt32LE(at), offset: long(8), address: long(16), bytes: long(32) };
  });
}

function interpreterOf(file: Buffer): string {
  const found = segmentsOf(file).find((one) => one.type === segments.interpreter);
  if (found === undefined) throw new Error('expected a program that names its loader');
  return textAt(file, found.offset);
}

function neededBy(file: Buffer): readonly string[] {
  const all = segmentsOf(file);
  const dynamic = all.find((one) => one.type === segments.dynamic);
  if (dynamic === undefined) return [];
  const entries = Array.from({ length: Math.floor(dynamic.bytes / 16) }, (_, index) => {
    const at = dynamic.offset + index * 16;
    return [Number(file.readBigUInt64LE(at)), Number(file.readBigUInt64LE(at + 8))] as const;
  });
  const address = entries.find(([tag]) => tag === tags.strings)?.[1] ?? 0;
  const load = all.find(
    (one) => one.type === segments.load && address >= one.address && address < one.address + one.bytes,
  );
  const strings = address - (load?.address ?? 0) + (load?.offset ?? 0);
  return entries.filter(([tag]) => tag === tags.needed).map(([, offset]) => textAt(file, strings + offset));
}

function textAt(file: Buffer, at: number): string {
  return file.toString('latin1', at, file.indexOf(0, at));
}
