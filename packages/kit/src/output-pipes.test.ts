import { closeSync, writeSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { PipeSource } from './output-pipes.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'pipes-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it.runIf(process.platform === 'linux')(
  'makes as many pipes as it is asked for, each used once, and leaves no file',
  async () => {
    const source = new PipeSource(folder);
    const pipes = await Promise.all(Array.from({ length: 30 }, () => source.open()));
    for (const [index, pipe] of pipes.entries()) {
      writeSync(pipe?.childFd ?? -1, `text ${index}`);
      closeSync(pipe?.childFd ?? -1);
      let text = '';
      for await (const chunk of pipe?.ours.setEncoding('utf8') ?? []) text += String(chunk);
      expect(text).toBe(`text ${index}`);
    }
    await source.close();
    expect(await readdir(folder)).toEqual([]);
    expect(await source.open()).toBeUndefined();
  },
);

it('has none where they are not needed or cannot be made', async () => {
  expect(await new PipeSource(folder, 'darwin').open()).toBeUndefined();
  expect(await new PipeSource(path.join(folder, 'missing')).open()).toBeUndefined();
});
