import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { z } from 'zod';
import { translateNpmFailure } from '../resolve/npm-errors.ts';
import type { Npm } from '../resolve/npm.ts';
import { hashFile, readSums } from '../store/sums.ts';
import { keyOf, type Store } from '../store/store.ts';
import { openTempFolder } from '../store/temp-folder.ts';
import { UserError } from '../user-error.ts';
import { stripElf } from './elf.ts';
import { baseVersion, type NodeBase, nodeBases } from './node-bases.ts';
import { unpackFile } from './unpack-file.ts';
import { hostTarget, type Target } from './target.ts';

/** Where Node binaries come from, beside this machine. */
export interface BaseSource {
  readonly npm: Npm;
  /** Only what npm has in its own cache. */
  readonly isOffline: boolean;
  /** A folder that may have their tarballs, as `vendor` writes them. */
  readonly vendorDir?: string | undefined;
  readonly store: Store;
}

const fuse = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2:';
const packed = z.array(z.looseObject({ filename: z.string() })).length(1);

/**
 * The Node binary of a target, ready to take an application in: without symbols, and told to look for one.
 *
 * @throws UserError `FRB305` when it is not what is pinned, `FRB313` when it is not here and nobody may be asked.
 */
export async function readBase(target: Target, source: BaseSource, signal: AbortSignal): Promise<Buffer> {
  const key = keyOf('base-2', nodeBases[target].sha256);
  const make = async (dir: string): Promise<void> => {
    const binary = await readOriginal(target, source, signal);
    await writeFile(path.join(dir, 'node'), lightFuse(target.startsWith('linux-') ? stripElf(binary) : binary));
  };
  const dir = await source.store.folder('bases', key, make, signal);
  const file = path.join(dir, 'node');
  const bytes = await readFile(file);
  if (sha256(bytes) !== (await readSums(dir))?.['node']) {
    throw new UserError('FRB316', `Node for ${target} in the cache is not what was put there; nothing was built`, {
      where: file,
    });
  }
  return bytes;
}

/**
 * A Node of this machine that prepares applications for the bases: the same version, so that they agree on the format. Where
 * it is the base itself, `isBase`, they also agree on compiled code.
 *
 * @throws UserError `FRB601`
 */
export async function findGenerator(
  source: BaseSource,
  signal: AbortSignal,
): Promise<{ readonly file: string; readonly isBase: boolean }> {
  const host = hostTarget();
  const running = process.execPath;
  if (host === undefined) {
    if (process.versions.node === baseVersion) return { file: running, isBase: false };
    const here = `${process.platform}-${process.arch}`;
    throw new UserError(
      'FRB601',
      `expected Node ${baseVersion} on ${here}, for which there is no base, found ${process.versions.node}`,
    );
  }
  const { sha256: wanted } = nodeBases[host];
  if (process.versions.node === baseVersion && (await rememberedHash(running, source.store)) === wanted) {
    return { file: running, isBase: true };
  }
  const make = async (dir: string): Promise<void> => {
    await writeFile(path.join(dir, 'node'), await readOriginal(host, source, signal), { mode: 0o755 });
  };
  const dir = await source.store.folder('bases', keyOf('generator-1', wanted), make, signal);
  return { file: path.join(dir, 'node'), isBase: true };
}

/** Gets the bases of targets into the cache, for a build that may ask nobody. @throws UserError as {@link readBase} */
export async function fetchBases(targets: readonly Target[], source: BaseSource, signal: AbortSignal): Promise<void> {
  if (targets.length > 0) await findGenerator(source, signal);
  for (const target of targets) await readBase(target, source, signal);
}

/** Those that executables of targets are made from, and made with on this machine. */
export function basesFor(targets: readonly Target[]): readonly NodeBase[] {
  const host = hostTarget();
  const wanted = targets.length > 0 && host !== undefined ? [...new Set([host, ...targets])] : targets;
  return wanted.map((target) => nodeBases[target]);
}

/** As it was released: the Node that runs us, one that was installed beside us, else what npm gets. */
async function readOriginal(target: Target, source: BaseSource, signal: AbortSignal): Promise<Buffer> {
  const base = nodeBases[target];
  const installed = findInstalled(base.package, target);
  const here = target === hostTarget() ? process.execPath : undefined;
  for (const file of [here, installed]) {
    const bytes = file === undefined ? undefined : await readFile(file).catch(() => undefined);
    if (bytes !== undefined && sha256(bytes) === base.sha256) return bytes;
  }
  const bytes = await fromTarball(target, source, signal);
  if (sha256(bytes) === base.sha256) return bytes;
  throw notPinned(target);
}

function findInstalled(name: string, target: Target): string | undefined {
  try {
    const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`);
    return path.join(path.dirname(manifest), 'bin', binaryName(target));
  } catch {
    return undefined;
  }
}

function binaryName(target: Target): string {
  return target.startsWith('win-') ? 'node.exe' : 'node';
}

async function fromTarball(target: Target, source: BaseSource, signal: AbortSignal): Promise<Buffer> {
  const { package: name, version, integrity } = nodeBases[target];
  const vendored = path.join(source.vendorDir ?? '', `${name}@${version}.tgz`);
  const isVendored = source.vendorDir !== undefined && existsSync(vendored);
  await using work = await openTempFolder(source.store.dir);
  const file = isVendored ? vendored : await packTo(work.dir, `${name}@${version}`, source, signal);
  const digest = createHash('sha512')
    .update(await readFile(file))
    .digest('base64');
  if (`sha512-${digest}` !== integrity) throw notPinned(target);
  return unpackFile(file, `package/bin/${binaryName(target)}`);
}

async function packTo(dir: string, spec: string, { npm, isOffline }: BaseSource, signal: AbortSignal): Promise<string> {
  const offline = isOffline ? ['--offline'] : [];
  try {
    const args = ['pack', '--ignore-scripts', `--pack-destination=${dir}`, ...offline, '--', spec];
    const [one] = packed.parse(await npm.run(args, npm.cwd, signal));
    return path.join(dir, path.basename(one?.filename ?? ''));
  } catch (error) {
    signal.throwIfAborted();
    const translated = translateNpmFailure(error, spec);
    if (!isOffline) throw translated;
    throw new UserError('FRB313', `${spec}: nobody may be asked for this Node, and it is not in the cache`, {
      cause: translated,
    });
  }
}

function notPinned(target: Target): UserError {
  const { package: name, version } = nodeBases[target];
  return new UserError('FRB305', `${name}@${version}: content does not match what is pinned; nothing was built`);
}

/** Tells Node that there is an application in it. */
function lightFuse(binary: Buffer): Buffer {
  const at = binary.indexOf(`${fuse}0`);
  if (at === -1 || binary.indexOf(`${fuse}0`, at + 1) !== -1) {
    throw new UserError('FRB601', 'expected one place in Node that tells of an application');
  }
  binary.write('1', at + fuse.length, 'latin1');
  return binary;
}

/** Reading 150 MB for each build takes longer than the rest of a small one. */
async function rememberedHash(file: string, store: Store): Promise<string> {
  const { size, mtimeMs, ino } = await stat(file);
  const key = keyOf('hash-1', file, size, mtimeMs, ino);
  const known = z.string().safeParse(await store.readJson('bases', key));
  if (known.success) return known.data;
  const hash = await hashFile(file);
  await store.writeJson('bases', key, hash);
  return hash;
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
