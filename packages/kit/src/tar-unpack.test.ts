import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { BackendError, isBackendError } from '@forgejo-runner/core';
import * as fc from 'fast-check';
import { type Header, pack } from 'tar-stream';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { unpackTar } from './tar-unpack.ts';

type Item = Partial<Header> & { readonly name: string; readonly content?: string };

const never = new AbortController().signal;
let folder = '';
let dest = '';

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'tar-unpack-'));
  dest = path.join(folder, 'dest');
  await mkdir(path.join(folder, 'outside'));
  await writeFile(path.join(folder, 'outside', 'kept'), 'untouched');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function archive(items: readonly Item[]): Promise<Buffer> {
  const packing = pack();
  for (const { content, ...header } of items) packing.entry(header, content ?? '');
  packing.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of packing as AsyncIterable<Uint8Array>) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

async function* streamOf(...chunks: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

async function unpack(items: readonly Item[]): Promise<void> {
  await unpackTar({ tar: streamOf(await archive(items)), dest }, never);
}

async function failure(work: Promise<unknown>): Promise<{ readonly code: unknown; readonly message: string }> {
  try {
    await work;
  } catch (error) {
    if (isBackendError(error)) return { code: error.code, message: error.message };
    return { code: undefined, message: String(error) };
  }
  return { code: 'nothing thrown', message: '' };
}

async function outside(): Promise<unknown> {
  return [
    (await readdir(folder)).filter((name) => name !== 'dest'),
    await readdir(path.join(folder, 'outside')),
    await readFile(path.join(folder, 'outside', 'kept'), 'utf8'),
  ];
}
const untouched = [['outside'], ['kept'], 'untouched'];
const text = (...parts: string[]): Promise<string> => readFile(path.join(dest, ...parts), 'utf8');

it('makes the destination and missing parents, also of entries without folders of their own', async () => {
  dest = path.join(folder, 'a', 'b', 'dest');
  await unpack([{ name: 'x/y/z', content: 'deep' }]);
  expect(await text('x', 'y', 'z')).toBe('deep');
});

it.each<[string, readonly Item[], string]>([
  ['a name that climbs', [{ name: '../outside/new', content: 'x' }], '".."'],
  ['a name that climbs from inside', [{ name: 'a/../../outside/kept', content: 'x' }], '".."'],
  ['an absolute name', [{ name: '/tmp/absolute-tar-name', content: 'x' }], 'absolute'],
  ['a name with a NUL', [{ name: 'a', pax: { path: 'a\0b' } }], 'NUL'],
  [
    'a file through a symlink',
    [
      { name: 'out', type: 'symlink', linkname: '../outside' },
      { name: 'out/kept', content: 'changed' },
    ],
    'over a symlink',
  ],
  [
    'a folder over a symlink',
    [
      { name: 'out', type: 'symlink', linkname: '../outside' },
      { name: 'out', type: 'directory', mode: 0o700 },
    ],
    'over a symlink',
  ],
  ['a hard link to outside', [{ name: 'h', type: 'link', linkname: '../outside/kept' }], '".."'],
  ['a hard link to an absolute path', [{ name: 'h', type: 'link', linkname: '/etc/passwd' }], 'absolute'],
  [
    'a hard link over a symlink',
    [
      { name: 'out', type: 'symlink', linkname: '../outside' },
      { name: 'h', type: 'link', linkname: 'out/kept' },
    ],
    'hard link over a symlink',
  ],
  [
    'a hard link to a symlink',
    [
      { name: 's', type: 'symlink', linkname: '../outside/kept' },
      { name: 'h', type: 'link', linkname: 's' },
    ],
    'other than a file',
  ],
  ['a hard link to a missing file', [{ name: 'h', type: 'link', linkname: 'no' }], 'not there'],
  ['a hard link over a missing folder', [{ name: 'h', type: 'link', linkname: 'no/no' }], 'or nothing'],
  ['a character device', [{ name: 'null', type: 'character-device', devmajor: 1, devminor: 3 }], 'character-device'],
  ['a block device', [{ name: 'sda', type: 'block-device', devmajor: 8 }], 'block-device'],
  ['a pipe', [{ name: 'pipe', type: 'fifo' }], 'fifo'],
  ['a sparse file', [{ name: 's', pax: { 'GNU.sparse.major': '1' }, content: 'x' }], 'sparse'],
  [
    'a path over a file',
    [
      { name: 'f', content: 'x' },
      { name: 'f/g', content: 'y' },
    ],
    'over a file',
  ],
  ['a file for the archive itself', [{ name: './', type: 'file' }], 'archive itself'],
])('refuses %s and leaves everything outside alone', async (_, items, message) => {
  const { code, message: found } = await failure(unpack([{ name: 'first', content: '1' }, ...items]));
  expect([code, found]).toEqual(['plan', expect.stringContaining(message)]);
  expect(await outside()).toEqual(untouched);
});

it('never follows a symlink that was there before', async () => {
  await mkdir(dest);
  await symlink(path.join(folder, 'outside'), path.join(dest, 'link'));
  expect((await failure(unpack([{ name: 'link/kept', content: 'changed' }]))).code).toBe('plan');
  expect(await outside()).toEqual(untouched);
});

it('replaces a symlink by a file instead of writing through it', async () => {
  await mkdir(dest);
  await symlink(path.join(folder, 'outside', 'kept'), path.join(dest, 'link'));
  await unpack([{ name: 'link', content: 'changed' }]);
  expect(await text('link')).toBe('changed');
  expect(await outside()).toEqual(untouched);
});

it('takes the way to the destination over symlinks', async () => {
  await mkdir(path.join(folder, 'outside', 'real'));
  await symlink(path.join(folder, 'outside', 'real'), path.join(folder, 'way'));
  dest = path.join(folder, 'way');
  await unpack([{ name: 'f', content: 'x' }]);
  expect(await readFile(path.join(folder, 'outside', 'real', 'f'), 'utf8')).toBe('x');
});

it('merges folders, overwrites files and keeps what it does not name', async () => {
  await unpack([
    { name: 'd/old', content: 'old' },
    { name: 'd/both', content: 'before' },
  ]);
  await unpack([
    { name: 'd', type: 'directory' },
    { name: 'd/both', content: 'after' },
  ]);
  expect([await text('d', 'old'), await text('d', 'both')]).toEqual(['old', 'after']);
});

it('overwrites a read-only file in a read-only folder of an earlier archive', async () => {
  await unpack([
    { name: 'd', type: 'directory', mode: 0o500 },
    { name: 'd/f', content: '1', mode: 0o400 },
  ]);
  await unpack([
    { name: 'd', type: 'directory', mode: 0o500 },
    { name: 'd/f', content: '2', mode: 0o400 },
  ]);
  expect(await text('d', 'f')).toBe('2');
  expect((await stat(path.join(dest, 'd'))).mode & 0o777).toBe(0o500);
  await chmod(path.join(dest, 'd'), 0o700);
});

it('does not write into the other names of a hard-linked file', async () => {
  await unpack([
    { name: 'a', content: '1' },
    { name: 'b', type: 'link', linkname: 'a' },
    { name: 'b', content: '2' },
  ]);
  expect([await text('a'), await text('b')]).toEqual(['1', '2']);
});

it('replaces an empty folder by a symlink, never walks over it, and refuses to replace a full one', async () => {
  const swapped = unpack([
    { name: 'd', type: 'directory' },
    { name: 'd', type: 'symlink', linkname: '../outside' },
    { name: 'd/kept', content: 'changed' },
  ]);
  expect((await failure(swapped)).message).toContain('over a symlink');
  expect(await outside()).toEqual(untouched);
  const full = unpack([
    { name: 'e/f', content: 'x' },
    { name: 'e', content: 'y' },
  ]);
  expect((await failure(full)).message).toContain('a folder with something in it');
});

it('keeps symlinks that point nowhere or to outside', async () => {
  await unpack([
    { name: 'n', type: 'symlink', linkname: '/nowhere' },
    { name: 'o', type: 'symlink', linkname: '../outside' },
  ]);
  expect([await readlink(path.join(dest, 'n')), await readlink(path.join(dest, 'o'))]).toEqual([
    '/nowhere',
    '../outside',
  ]);
});

it('leaves the mode of the destination alone', async () => {
  await mkdir(dest, { mode: 0o700 });
  await unpack([
    { name: './', type: 'directory', mode: 0o777 },
    { name: './f', content: 'x' },
  ]);
  expect((await stat(dest)).mode & 0o777).toBe(0o700);
});

it('refuses an archive that was cut, wherever', async () => {
  const whole = await archive([
    { name: 'a', content: 'a'.repeat(700) },
    { name: 'b', content: 'b' },
  ]);
  for (const length of [0, 100, 512, 900, 1536, 1536 + 512, whole.length - 1024, whole.length - 1]) {
    const { code, message } = await failure(unpackTar({ tar: streamOf(whole.subarray(0, length)), dest }, never));
    expect([length, code, message]).toEqual([length, 'plan', expect.stringContaining('damaged')]);
  }
});

it('refuses what is no archive', async () => {
  const { code } = await failure(unpackTar({ tar: streamOf(Buffer.alloc(4096, 'no archive at all ')), dest }, never));
  expect(code).toBe('plan');
});

it('refuses a header that would fill the memory', async () => {
  const header = (await archive([{ name: 'x', pax: { comment: 'c' } }])).subarray(0, 512);
  const bomb = Buffer.from(header);
  bomb.write('00777777777', 124);
  bomb.fill(' ', 148, 156);
  const sum = bomb
    .subarray(0, 512)
    .values()
    .toArray()
    .reduce((total, byte) => total + byte, 0); // oxlint-disable-line unicorn/no-array-reduce -- a sum
  bomb.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  const { code, message } = await failure(unpackTar({ tar: streamOf(bomb, Buffer.alloc(1024)), dest }, never));
  expect([code, message]).toEqual(['plan', expect.stringContaining('Header exceeds max size')]);
});

it('passes on what the stream fails with, and lets go of it', async () => {
  const whole = await archive([{ name: 'a', content: 'a'.repeat(5000) }]);
  const failing = async function* (): AsyncGenerator<Uint8Array> {
    yield whole.subarray(0, 2000);
    throw new BackendError('lost', 'connection reset');
  };
  expect(await failure(unpackTar({ tar: failing(), dest }, never))).toEqual({
    code: 'lost',
    message: 'connection reset',
  });
});

it('tells the stream to stop when it refuses an entry', async () => {
  const whole = await archive([{ name: '../x', content: 'x' }]);
  let isStopped = false;
  const endless = async function* (): AsyncGenerator<Uint8Array> {
    try {
      yield whole.subarray(0, 1024);
      for (;;) yield Buffer.alloc(65_536);
    } finally {
      isStopped = true;
    }
  };
  expect((await failure(unpackTar({ tar: endless(), dest }, never))).code).toBe('plan');
  await expect.poll(() => isStopped).toBe(true);
});

it('says cancelled when the signal aborts while the stream is silent', async () => {
  const controller = new AbortController();
  const whole = await archive([{ name: 'a', content: 'a'.repeat(5000) }]);
  const stalled = async function* (): AsyncGenerator<Uint8Array> {
    yield whole.subarray(0, 2000);
    queueMicrotask(() => controller.abort());
    await new Promise(() => {});
  };
  expect((await failure(unpackTar({ tar: stalled(), dest }, controller.signal))).code).toBe('cancelled');
  expect((await failure(unpackTar({ tar: stalled(), dest }, AbortSignal.abort()))).code).toBe('cancelled');
});

it('takes the stream in chunks of any size', async () => {
  const whole = await archive([
    { name: 'n'.repeat(150), content: 'long' },
    { name: 'b', content: 'b'.repeat(1000) },
  ]);
  const bytes = Array.from(whole, (_, index) => whole.subarray(index, index + 1));
  await unpackTar({ tar: streamOf(...bytes), dest }, never);
  expect([await text('n'.repeat(150)), (await text('b')).length]).toEqual(['long', 1000]);
});

it('changes nothing outside, whatever the archive says', { timeout: 60_000 }, async () => {
  const part = fc.constantFrom('..', '.', '', 'a', 'b', 'link', '/', 'outside', 'kept', 'x\ny');
  const name = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
  const type = fc.constantFrom<Header['type']>('file', 'directory', 'symlink', 'link', 'fifo');
  const linkname = fc.oneof(name, fc.constantFrom('../outside', '../outside/kept', '../../outside'));
  const item = fc.record({ name, type, linkname, mode: fc.nat(0o7777) });
  await fc.assert(
    fc.asyncProperty(fc.array(item, { maxLength: 8 }), async (items) => {
      const wanted = items.map((one) => (one.type === 'file' ? { ...one, content: 'changed' } : one));
      const { code } = await failure(unpack(wanted));
      expect(['nothing thrown', 'plan']).toContain(code);
      expect(await outside()).toEqual(untouched);
      expect((await lstat(dest)).isDirectory()).toBe(true);
      await rm(dest, { recursive: true, force: true });
    }),
    { numRuns: 300 },
  );
});
