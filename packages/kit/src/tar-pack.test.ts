import {
  chmod,
  link,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { isBackendError } from '@forgejo-runner/core';
import * as fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { packTar } from './tar-pack.ts';
import { unpackTar } from './tar-unpack.ts';

const never = new AbortController().signal;
let folder = '';

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'tar-pack-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const at = (...parts: string[]): string => path.join(folder, ...parts);

async function codeOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
    return 'nothing thrown';
  } catch (error) {
    return isBackendError(error) ? error.code : error;
  }
}

async function drain(chunks: AsyncIterable<Uint8Array>): Promise<number> {
  let bytes = 0;
  for await (const chunk of chunks) bytes += chunk.length;
  return bytes;
}

async function roundTrip(src: string): Promise<string> {
  await unpackTar({ tar: packTar({ src }, never), dest: at('out') }, never);
  return at('out', path.basename(src));
}

it('carries a tree over with modes, times, links, empty folders and long names', async () => {
  const long = path.join('d'.repeat(120), 'e'.repeat(120), 'f'.repeat(100));
  await mkdir(at('in', 'empty'), { recursive: true });
  await mkdir(path.dirname(at('in', long)), { recursive: true });
  await writeFile(at('in', long), 'deep');
  await writeFile(at('in', 'zero'), '');
  await writeFile(at('in', 'grün nfc'.normalize('NFC')), '1');
  await writeFile(at('in', 'grün nfd'.normalize('NFD')), '2');
  await writeFile(at('in', 'line\nbreak'), '3');
  await writeFile(at('in', 'all bytes'), Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)));
  await writeFile(at('in', 'run.sh'), '#!', { mode: 0o755 });
  await chmod(at('in', 'run.sh'), 0o755);
  await writeFile(at('in', 'secret'), 's');
  await chmod(at('in', 'secret'), 0o400);
  await chmod(at('in', 'zero'), 0);
  await link(at('in', 'secret'), at('in', 'twin'));
  await symlink('run.sh', at('in', 'relative'));
  await symlink('/nowhere/at/all', at('in', 'dangling'));
  await utimes(at('in', 'run.sh'), 1_000_000_000, 1_000_000_000);
  await utimes(at('in', 'empty'), 1_100_000_000, 1_100_000_000);
  await chmod(at('in', 'empty'), 0o500);

  const out = await roundTrip(at('in'));
  const there = (...parts: string[]): string => path.join(out, ...parts);
  expect(await readFile(there(long), 'utf8')).toBe('deep');
  expect(await readFile(there('grün nfc'.normalize('NFC')), 'utf8')).toBe('1');
  expect(await readFile(there('grün nfd'.normalize('NFD')), 'utf8')).toBe('2');
  expect(await readFile(there('line\nbreak'), 'utf8')).toBe('3');
  expect([...(await readFile(there('all bytes')))]).toEqual(Array.from({ length: 256 }, (_, byte) => byte));
  expect((await stat(there('run.sh'))).mode & 0o7777).toBe(0o755);
  expect((await stat(there('secret'))).mode & 0o7777).toBe(0o400);
  expect((await stat(there('zero'))).mode & 0o7777).toBe(0);
  expect((await stat(there('empty'))).mode & 0o7777).toBe(0o500);
  expect((await stat(there('run.sh'))).mtimeMs).toBe(1_000_000_000_000);
  expect((await stat(there('empty'))).mtimeMs).toBe(1_100_000_000_000);
  expect((await stat(there('twin'))).ino).toBe((await stat(there('secret'))).ino);
  expect(await readlink(there('relative'))).toBe('run.sh');
  expect(await readlink(there('dangling'))).toBe('/nowhere/at/all');
});

it('packs a single file under its own name, or the one asked for', async () => {
  await writeFile(at('one'), 'content');
  expect(await readFile(await roundTrip(at('one')), 'utf8')).toBe('content');
  await unpackTar({ tar: packTar({ src: at('one'), name: 'other' }, never), dest: at('out') }, never);
  expect(await readFile(at('out', 'other'), 'utf8')).toBe('content');
});

it('packs a symlink as one', async () => {
  await symlink('/etc', at('etc'));
  expect(await readlink(await roundTrip(at('etc')))).toBe('/etc');
});

it('clears set-user-id and the like on the way', async () => {
  await writeFile(at('suid'), 'x');
  await chmod(at('suid'), 0o4755);
  expect((await stat(await roundTrip(at('suid')))).mode & 0o7777).toBe(0o755);
});

it('leaves out sockets and takes the rest', async () => {
  await mkdir(at('in'));
  const server = createServer().listen(at('in', 'socket'));
  await new Promise((resolve) => void server.once('listening', resolve));
  await writeFile(at('in', 'file'), 'x');
  const out = await roundTrip(at('in'));
  server.close();
  expect(await readFile(path.join(out, 'file'), 'utf8')).toBe('x');
  await expect(lstat(path.join(out, 'socket'))).rejects.toThrow('ENOENT');
});

it('gives the same bytes for the same folder', async () => {
  await mkdir(at('in'));
  for (const name of ['b', 'a', 'c']) await writeFile(at('in', name), name);
  const bytes = async (): Promise<Buffer> => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of packTar({ src: at('in') }, never)) chunks.push(chunk);
    return Buffer.concat(chunks);
  };
  expect((await bytes()).equals(await bytes())).toBe(true);
});

it('says not_found for what is missing', async () => {
  expect(await codeOf(drain(packTar({ src: at('missing') }, never)))).toBe('not_found');
});

it('says plan for a device', async () => {
  expect(await codeOf(drain(packTar({ src: '/dev/null' }, never)))).toBe('plan');
});

it('says plan above the limit, and nothing at the limit', async () => {
  await mkdir(at('in'));
  await writeFile(at('in', 'a'), Buffer.alloc(600));
  await writeFile(at('in', 'b'), Buffer.alloc(600));
  expect(await codeOf(drain(packTar({ src: at('in'), maxBytes: 1199 }, never)))).toBe('plan');
  expect(await drain(packTar({ src: at('in'), maxBytes: 1200 }, never))).toBeGreaterThan(1200);
});

it('stops when nobody reads on', async () => {
  await writeFile(at('big'), Buffer.alloc(8 * 1024 * 1024));
  for await (const chunk of packTar({ src: at('big') }, never)) {
    expect(chunk.length).toBeGreaterThan(0);
    break;
  }
});

it('says cancelled when the signal aborts, before and while packing', async () => {
  await writeFile(at('big'), Buffer.alloc(8 * 1024 * 1024));
  expect(await codeOf(drain(packTar({ src: at('big') }, AbortSignal.abort())))).toBe('cancelled');
  const controller = new AbortController();
  const work = async (): Promise<void> => {
    for await (const chunk of packTar({ src: at('big') }, controller.signal))
      if (chunk.length > 512) controller.abort();
  };
  expect(await codeOf(work())).toBe('cancelled');
});

it('carries any tree over', { timeout: 60_000 }, async () => {
  const name = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
    .filter((text) => !/[/\0]/.test(text) && text !== '.' && text !== '..' && text.isWellFormed());
  const { tree } = fc.letrec<{ tree: Tree; leaf: Tree; node: Tree }>((tie) => ({
    leaf: fc.uint8Array({ maxLength: 1500 }),
    node: fc.dictionary(name, tie('tree'), { maxKeys: 4, noNullPrototype: true }),
    tree: fc.oneof({ depthSize: 'small', withCrossShrink: true }, tie('leaf'), tie('node')),
  }));
  let run = 0;
  await fc.assert(
    fc.asyncProperty(tree, async (wanted) => {
      run += 1;
      await write(at(`in${run}`, 'top'), wanted);
      await unpackTar({ tar: packTar({ src: at(`in${run}`, 'top') }, never), dest: at(`out${run}`) }, never);
      expect(await read(at(`out${run}`, 'top'), wanted)).toEqual(wanted);
    }),
    { numRuns: 60 },
  );
});

type Tree = Uint8Array | { readonly [name: string]: Tree };

async function write(file: string, tree: Tree): Promise<void> {
  if (tree instanceof Uint8Array) {
    await mkdir(path.dirname(file), { recursive: true });
    return writeFile(file, tree);
  }
  await mkdir(file, { recursive: true });
  for (const [name, child] of Object.entries(tree)) await write(path.join(file, name), child);
}

async function read(file: string, like: Tree): Promise<Tree> {
  if (like instanceof Uint8Array) return new Uint8Array(await readFile(file));
  const found: [string, Tree][] = [];
  for (const [name, child] of Object.entries(like)) found.push([name, await read(path.join(file, name), child)]);
  return Object.fromEntries(found);
}

it('takes only what is accepted, and nothing below a folder that is not', async () => {
  await mkdir(at('in', 'kept', 'deep'), { recursive: true });
  await mkdir(at('in', 'left'), { recursive: true });
  for (const file of ['a', 'b', 'kept/c', 'kept/deep/d', 'left/kept']) await writeFile(at('in', file), file);
  await unpackTar({ tar: packTar({ src: at('in'), name: '.', accept: isWanted }, never), dest: at('out') }, never);
  expect((await readdir(at('out'), { recursive: true })).toSorted()).toEqual([
    'a',
    'kept',
    'kept/c',
    'kept/deep',
    'kept/deep/d',
  ]);
});

function isWanted(name: string): boolean {
  return name !== 'b' && name !== 'left';
}
