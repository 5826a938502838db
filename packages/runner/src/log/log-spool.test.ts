import { appendFile, open, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { openTempFolder, type TempFolder } from '@forgejo-runner/testkit';
import * as fc from 'fast-check';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { LogSection } from '../report/job-report.ts';
import { LogSpool } from './log-spool.ts';
import type { SpooledRow } from './log-spool-blocks.ts';
import { readSpool } from './log-spool-reader.ts';

const setUp: LogSection = { kind: 'set-up' };
const complete: LogSection = { kind: 'complete' };
const main = (index: number): LogSection => ({ kind: 'step', index, stage: 'main' });
const all = { rows: 1_000_000, bytes: 1e9 };
const options = { limitBytes: 1e9 };

let folder: TempFolder;
let path: string;
beforeEach(async () => {
  folder = await openTempFolder();
  path = folder.join('log');
});
afterEach(() => folder[Symbol.asyncDispose]());

it('gives back what was appended, with numbers, sections and times that never run backwards', async () => {
  await using spool = await LogSpool.create(path, options);
  const first = spool.append(setUp, [{ atMs: 5, text: 'a' }]);
  expect(spool.rowCount).toBe(1);
  await Promise.all([first, spool.append(main(3), [row('b c', 4), row('', 7)])]);
  await spool.append({ kind: 'step', index: 3, stage: 'post' }, [row('two\nlines', 8)]);
  await spool.append(complete, []);
  expect(await spool.read(0, all)).toEqual([
    { index: 0, atMs: 5, section: setUp, text: 'a' },
    { index: 1, atMs: 5, section: main(3), text: 'b c' },
    { index: 2, atMs: 7, section: main(3), text: '' },
    { index: 3, atMs: 8, section: { kind: 'step', index: 3, stage: 'post' }, text: String.raw`two\nlines` },
  ]);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

it('reads any part within limits', async () => {
  await using spool = await LogSpool.create(path, options);
  for (let block = 0; block < 40; block += 1) {
    await spool.append(
      main(0),
      Array.from({ length: 100 }, (_, number) => row(`${block * 100 + number}`.padStart(50, '.'))),
    );
  }
  expect(texts(await spool.read(3999, all))).toEqual(['3999']);
  expect(texts(await spool.read(150, { rows: 2, bytes: 1e9 }))).toEqual(['150', '151']);
  expect(texts(await spool.read(0, { rows: 100, bytes: 120 }))).toEqual(['0', '1']);
  expect(texts(await spool.read(99, { rows: 1, bytes: 1 }))).toEqual(['99']);
  expect(await spool.read(4000, all)).toEqual([]);
  expect((await spool.lastRow())?.index).toBe(3999);
});

it('keeps texts of any kind', async () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(text, { maxLength: 5 }), { maxLength: 8 }), async (calls) => {
      await using one = await openTempFolder();
      await using spool = await LogSpool.create(one.join('log'), options);
      await Promise.all(
        calls.map((call, index) =>
          spool.append(
            main(index),
            call.map((text) => row(text)),
          ),
        ),
      );
      const read = await spool.read(0, all);
      expect(read.map((found) => found.text)).toEqual(
        calls.flat().map((value) => value.toWellFormed().replaceAll('\n', '\\n')),
      );
      expect(read.map(({ index }) => index)).toEqual(read.map((_, index) => index));
    }),
    { numRuns: 30 },
  );
});

it('finds the end of a file that was torn at any byte, and goes on from there', async () => {
  {
    await using spool = await LogSpool.create(path, options);
    await spool.append(main(0), [row('one'), row('two')]);
    await spool.append(main(0), [row('three')]);
  }
  const whole = await readFile(path);
  const secondBlock = whole.lastIndexOf('#');
  for (let length = secondBlock; length < whole.length; length += 1) {
    await writeFile(path, whole.subarray(0, length));
    await using spool = await LogSpool.reopen(path, options);
    expect(spool.rowCount).toBe(2);
    await spool.append(complete, [row('last')]);
    expect((await spool.read(0, all)).map(({ text }) => text)).toEqual(['one', 'two', 'last']);
  }
});

it.each([
  ['a flipped bit', (bytes: Buffer) => bytes.fill(0x21, bytes.length - 3, bytes.length - 2)],
  ['zeros after a power failure', (bytes: Buffer) => bytes.fill(0, bytes.lastIndexOf('#'))],
  [
    'a header that promises too much',
    (bytes: Buffer) => Buffer.concat([bytes, Buffer.from('#3 1 999999999 00000000\n')]),
  ],
  ['a block out of order', (bytes: Buffer) => Buffer.concat([bytes, bytes.subarray(0, bytes.lastIndexOf('#'))])],
])('stops at %s', async (name, damage) => {
  {
    await using spool = await LogSpool.create(path, options);
    await spool.append(main(0), [row('one'), row('two')]);
    await spool.append(main(0), [row('three')]);
  }
  await writeFile(path, damage(await readFile(path)));
  await using spool = await LogSpool.reopen(path, options);
  expect(spool.rowCount).toBe(name.startsWith('a header') || name.startsWith('a block') ? 3 : 2);
});

it('reads a file that is empty or was never a spool as one without rows', async () => {
  for (const content of ['', 'hello\n', '#', '#x y z\n']) {
    await writeFile(path, content);
    await using spool = await LogSpool.reopen(path, options);
    expect(spool.rowCount).toBe(0);
    expect(await spool.lastRow()).toBeUndefined();
  }
});

it('never makes a file of another job its own', async () => {
  await writeFile(path, 'x');
  await expect(LogSpool.create(path, options)).rejects.toMatchObject({ code: 'EEXIST' });
});

it('ends the log at its limit with a row that says so, and still takes the end of the job', async () => {
  await using spool = await LogSpool.create(path, { limitBytes: 2000 });
  for (let number = 0; number < 100; number += 1) await spool.append(main(0), [row('x'.repeat(50))]);
  await spool.append(complete, [row('the end')]);
  const read = await spool.read(0, all);
  expect(read.length).toBeLessThan(40);
  expect(read.at(-2)?.text).toMatch(/^##\[warning\]The log ends here: it has reached the limit of 2000 bytes/);
  expect(read.at(-1)?.text).toBe('the end');
  expect(spool.bytes).toBeLessThan(2400);
});

it('loses rows that the disk does not take, says how many, and goes on', async () => {
  const onLoss = vi.fn<(error: unknown, rows: number) => void>();
  await using spool = await LogSpool.create(path, { ...options, onLoss });
  await spool.append(main(0), [row('one')]);
  const restore = await failWrites('ENOSPC');
  await Promise.all([spool.append(main(0), [row('two'), row('three')]), spool.append(main(0), [row('four')])]);
  expect(onLoss).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ code: 'ENOSPC' }), 3);
  expect(spool.rowCount).toBe(1);
  restore();
  await spool.append(main(0), [row('five')]);
  expect((await spool.read(0, all)).map(({ text }) => text)).toEqual([
    'one',
    '##[warning]3 rows are missing here: the runner could not write them to its disk',
    'five',
  ]);
});

it('is read by others while it grows', async () => {
  await using spool = await LogSpool.create(path, options);
  await spool.append(main(0), [row('one')]);
  const later = ['two', 'three'];
  const seen: string[] = [];
  const waitForMore = async (): Promise<boolean> => {
    const text = later.shift();
    if (text === undefined) return false;
    await spool.append(main(0), [row(text)]);
    await truncate(path, spool.bytes);
    // Half of a block is on its way.
    await appendFile(path, '#9 1 50 000');
    return true;
  };
  for await (const rows of readSpool({ path, waitForMore })) seen.push(...rows.map(({ text }) => text));
  expect(seen).toEqual(['one', 'two', 'three']);
});

function row(text: string, atMs = 1): { readonly atMs: number; readonly text: string } {
  return { atMs, text };
}

function texts(rows: readonly SpooledRow[]): readonly string[] {
  return rows.map(({ text }) => text.replaceAll('.', ''));
}

/** Lets all writing fail, as a full disk does. */
async function failWrites(code: string): Promise<() => void> {
  await using handle = await open(path, 'r');
  // The class of file handles has no name to import it by.
  const prototype = Object.getPrototypeOf(handle) as { write: () => Promise<never> };
  const spy = vi
    .spyOn(prototype, 'write')
    .mockImplementation(() => Promise.reject(Object.assign(new Error(code), { code })));
  return () => spy.mockRestore();
}
