import { access } from 'node:fs/promises';
import { pack } from 'tar-stream';
import { expect, it } from 'vitest';
import { openContextFile } from './build-context-file.ts';

interface Entry {
  readonly name: string;
  readonly content?: string;
  readonly mode?: number;
  readonly mtime?: Date;
  readonly uid?: number;
}

function tar(entries: readonly Entry[]): AsyncIterable<Uint8Array> {
  const archive = pack();
  for (const { content = '', ...header } of entries) archive.entry(header, content);
  archive.finalize();
  return archive as unknown as AsyncIterable<Uint8Array>;
}

const dockerfile = { name: 'Dockerfile', content: 'FROM scratch\n' };
const signal = new AbortController().signal;

async function hashOf(entries: readonly Entry[]): Promise<string> {
  await using file = await openContextFile(tar(entries), 'Dockerfile', signal);
  return file.contentHash;
}

it('is the same for the same files, whenever, by whom and in which order they were written', async () => {
  const first = await hashOf([dockerfile, { name: 'a', content: 'x', mtime: new Date(1), uid: 5 }]);
  expect(await hashOf([{ name: 'a', content: 'x', mtime: new Date(9e5) }, dockerfile])).toBe(first);
});

it.each<[string, Entry]>([
  ['content', { name: 'a', content: 'y' }],
  ['a name', { name: 'b', content: 'x' }],
  ['what can be run', { name: 'a', content: 'x', mode: 0o755 }],
])('is another one for another %s', async (_what, entry) => {
  expect(await hashOf([dockerfile, entry])).not.toBe(await hashOf([dockerfile, { name: 'a', content: 'x' }]));
});

it('hands out the Dockerfile, and goes when it is disposed', async () => {
  const file = await openContextFile(
    tar([dockerfile, { name: 'big', content: 'x'.repeat(300_000) }]),
    'Dockerfile',
    signal,
  );
  expect(file.dockerfile).toBe('FROM scratch\n');
  await access(file.path);
  await file[Symbol.asyncDispose]();
  await expect(access(file.path)).rejects.toThrow('ENOENT');
});

it('refuses what is no archive, and passes on what a stream throws', async () => {
  await expect(openContextFile(chunks(Buffer.alloc(2048, 'x')), 'Dockerfile', signal)).rejects.toMatchObject({
    code: 'plan',
  });
  await expect(openContextFile(failing(), 'Dockerfile', signal)).rejects.toThrow('broken pipe');
});

it('stops when it is cancelled', async () => {
  await expect(openContextFile(tar([dockerfile]), 'Dockerfile', AbortSignal.abort())).rejects.toThrow(/abort|cancel/i);
});

async function* chunks(...all: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* all;
}

async function* failing(): AsyncGenerator<Uint8Array> {
  yield Buffer.alloc(512);
  throw new Error('broken pipe');
}
