import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { findWorkflows } from './find-workflows.ts';

const good = 'on: push\njobs: { a: { runs-on: x, steps: [{ run: "true" }] } }\n';
let folder = '';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'find-workflows-'));
  await mkdir(join(folder, 'deeper'));
});
afterEach(() => rm(folder, { recursive: true }));

const find = (path = '.', recurse = true) => findWorkflows(join(folder, path), { recurse, cwd: folder });
const write = (name: string, text: string) => writeFile(join(folder, name), text);

it('reads the workflows of a folder in the order of their names, and those below', async () => {
  for (const name of ['b.yml', 'a.yaml', 'notes.md', 'deeper/c.yml']) await write(name, good);
  expect((await find()).map(({ file }) => file)).toEqual(['a.yaml', 'b.yml', 'deeper/c.yml']);
  expect((await find('.', false)).map(({ file }) => file)).toEqual(['a.yaml', 'b.yml']);
});

it('reads one file, whatever its name ends in', async () => {
  await write('workflow.txt', good);
  expect((await find('workflow.txt')).map(({ file }) => file)).toEqual(['workflow.txt']);
});

it('says where it looked', async () => {
  await expect(find()).rejects.toThrow('expected workflows (.yml or .yaml) in ".", found none');
  await expect(find('none.yml')).rejects.toThrow(`expected a workflow file or folder at "none.yml", found none`);
});

it('tells all that is wrong in all workflows', async () => {
  await write('a.yml', good.replace('steps', 'stepps'));
  await write('b.yml', good.replace('"true"', '"${{ nope.x }}"'));
  await expect(find()).rejects.toThrow(/a\.yml:2:\d+: .*stepps.*\n(.*\n)*b\.yml:2:\d+: .*nope/);
});

it('keeps the code of a text that is no YAML', async () => {
  await write('a.yml', 'on: [push\n');
  await expect(find()).rejects.toMatchObject({ code: 'FRR301' });
});
