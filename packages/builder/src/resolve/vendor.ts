import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { hashFile } from '../store/sums.ts';
import { writeTextFile } from '../store/write-output.ts';
import { UserError } from '../user-error.ts';
import { lockText, type BuildLock } from './lock.ts';
import type { LockedPackage, LockedPackages } from './npm-lock.ts';
import type { Npm } from './npm.ts';
import { translateNpmFailure } from './npm-errors.ts';
import { nameAt } from './tree.ts';

const indexName = 'index.json';
const indexSchema = z.object({ schema: z.literal(1), files: z.record(z.string(), z.string()) });
const packed = z.array(z.looseObject({ filename: z.string() })).length(1);

/** The folder beside a project that its packages may lie in. */
export function vendorFolder(projectDir: string): string {
  return path.join(projectDir, 'forgejo-runner.vendor');
}

/** The folder of vendored packages that a build looks into, if it is there. */
export function vendorOf(options: {
  readonly lockFile?: string | undefined;
  readonly cwd: string;
}): string | undefined {
  const dir = vendorFolder(options.lockFile === undefined ? options.cwd : path.dirname(options.lockFile));
  return existsSync(dir) ? dir : undefined;
}

/**
 * Writes every package of a lock as a tarball into a folder, with the checksum of each, so that a build needs neither
 * network nor cache. What lies there already is kept. Returns how many there are.
 *
 * @throws UserError `FRB304` to `FRB312`
 */
export async function writeVendor(
  dir: string,
  lock: BuildLock,
  { npm, bases }: { readonly npm: Npm; readonly bases: readonly string[] },
  signal: AbortSignal,
): Promise<number> {
  await mkdir(dir, { recursive: true });
  const known = await readIndex(dir);
  const files: Record<string, string> = {};
  const ofBases = bases.map((spec) => [`${spec}.tgz`, spec] as const);
  for (const [name, spec] of [...wantedFiles(lock.packages), ...ofBases]) {
    const file = path.join(dir, name);
    const sum = await hashFile(file).catch(() => undefined);
    files[name] = sum !== undefined && sum === known[name] ? sum : await packInto(file, spec, npm, signal);
  }
  for (const name of Object.keys(known)) if (files[name] === undefined) await rm(path.join(dir, name), { force: true });
  const sorted = Object.fromEntries(Object.entries(files).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  await writeTextFile(path.join(dir, indexName), `${JSON.stringify({ schema: 1, files: sorted }, undefined, 2)}\n`);
  await writeTextFile(path.join(dir, 'lock.json'), lockText(lock));
  return Object.keys(files).length;
}

/** The name of a package's tarball, and what npm is asked for. Packages that are folders have none. */
function wantedFiles(locked: LockedPackages): ReadonlyMap<string, string> {
  const wanted = new Map<string, string>();
  for (const [at, entry] of Object.entries(locked)) {
    const name = fileNameOf(at, entry);
    if (name === undefined) continue;
    const isOwn = entry.resolved !== undefined && /^(?:https?|git)/.test(entry.resolved);
    wanted.set(name, isOwn ? (entry.resolved ?? '') : `${nameAt(at)}@${entry.version}`);
  }
  return wanted;
}

function fileNameOf(at: string, { version, resolved }: LockedPackage): string | undefined {
  // Stand-ins and local tarballs come with the project.
  if (!at.includes('node_modules/') || version === undefined || resolved?.startsWith('file:') === true)
    return undefined;
  return `${nameAt(at).replace('/', '+')}@${version}.tgz`;
}

async function packInto(file: string, spec: string, npm: Npm, signal: AbortSignal): Promise<string> {
  const temporary = `${file}.tmp`;
  await mkdir(temporary, { recursive: true });
  try {
    const args = ['pack', '--ignore-scripts', `--pack-destination=${temporary}`, '--', spec];
    const [one] = packed.parse(await npm.run(args, npm.cwd, signal));
    await rename(path.join(temporary, path.basename(one?.filename ?? '')), file);
    return await hashFile(file);
  } catch (error) {
    signal.throwIfAborted();
    throw translateNpmFailure(error, spec);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/**
 * Place in the tree to the tarball for it, for all that lie in a folder. npm compares each with the lock when it is
 * unpacked; what has no checksum there is compared with that of the folder.
 *
 * @throws UserError `FRB305`
 */
export async function vendoredTarballs(dir: string, locked: LockedPackages): Promise<ReadonlyMap<string, string>> {
  const known = await readIndex(dir);
  const found = new Map<string, string>();
  for (const [at, entry] of Object.entries(locked)) {
    const name = fileNameOf(at, entry);
    if (name === undefined || known[name] === undefined) continue;
    const file = path.join(dir, name);
    if (entry.integrity === undefined && (await hashFile(file)) !== known[name]) {
      throw new UserError('FRB305', `${name}: content does not match its checksum; nothing was built`, { where: file });
    }
    found.set(at, file);
  }
  return found;
}

async function readIndex(dir: string): Promise<Readonly<Record<string, string>>> {
  const text = await readFile(path.join(dir, indexName), 'utf8').catch(() => undefined);
  if (text === undefined) return {};
  try {
    return indexSchema.parse(JSON.parse(text)).files;
  } catch (cause) {
    throw new UserError('FRB315', 'expected the index of vendored packages, but it cannot be read', {
      where: path.join(dir, indexName),
      next: 'make the folder anew: forgejo-runner-build vendor',
      cause,
    });
  }
}
