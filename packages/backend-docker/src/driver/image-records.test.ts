import { readdir, utimes } from 'node:fs/promises';
import { openTempFolder } from '@forgejo-runner/testkit';
import { expect, it } from 'vitest';
import { type ImageRecord, ImageRecords } from './image-records.ts';

const record: ImageRecord = {
  kind: 'pulled',
  name: 'node:22',
  platform: '',
  id: 'sha256:1',
  pulledAtMs: 5,
  isOurs: true,
};

it('remembers an image by its name and platform', async () => {
  await using folder = await openTempFolder();
  const records = new ImageRecords(folder.path);
  await records.write(record);
  await records.write({ ...record, platform: 'linux/arm64', id: 'sha256:2' });
  expect(await records.find(record)).toMatchObject(record);
  expect(await records.find({ name: 'node:22', platform: 'linux/arm64' })).toMatchObject({ id: 'sha256:2' });
  expect(await records.find({ name: 'node', platform: '' })).toBeUndefined();
  expect(await records.list()).toHaveLength(2);
});

it('knows when an image was last used', async () => {
  await using folder = await openTempFolder();
  const records = new ImageRecords(folder.path);
  await records.write(record);
  const file = (await records.find(record))?.file ?? '';
  await utimes(file, 1000, 1000);
  expect((await records.find(record))?.usedAtMs).toBe(1_000_000);
  await records.touch(record);
  expect((await records.find(record))?.usedAtMs).toBeGreaterThan(1_000_000);
  await records.touch({ name: 'unknown', platform: '' });
  expect(await records.list()).toHaveLength(1);
});

it('forgets, and leaves no half-written file', async () => {
  await using folder = await openTempFolder();
  const records = new ImageRecords(folder.path);
  await Promise.all(Array.from({ length: 20 }, () => records.write(record)));
  expect(await readdir(folder.join('images'))).toHaveLength(1);
  for (const one of await records.list()) await records.forget(one);
  expect(await records.list()).toEqual([]);
});

it('takes a file that makes no sense for none', async () => {
  await using folder = await openTempFolder();
  await folder.write({ 'images/a.json': '{', 'images/b.json': '{"kind":"stolen"}', 'images/c.json': 'null' });
  expect(await new ImageRecords(folder.path).list()).toEqual([]);
});
