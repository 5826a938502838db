import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { mountsBelow, unmount } from './mounts.ts';

it('finds what is mounted below a folder, deepest first, with spaces in names', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'mounts-'));
  const file = path.join(folder, 'mountinfo');
  const points = ['/', '/jobs/a/b', '/jobs/ab', '/jobs/a\\040b', '/jobs/a/b/c\\040d', '/jobs/a'];
  await writeFile(
    file,
    points.map((point, index) => `${index} 1 0:${index} / ${point} rw - tmpfs tmpfs rw\n`).join(''),
  );
  expect(await mountsBelow('/jobs/a', file)).toEqual(['/jobs/a/b/c d', '/jobs/a/b', '/jobs/a']);
  expect(await mountsBelow('/jobs/a b', file)).toEqual(['/jobs/a b']);
  expect(await mountsBelow('/jobs', path.join(folder, 'missing'))).toEqual([]);
  await rm(folder, { recursive: true });
});

it('says why it cannot take a mount away', async () => {
  expect(await unmount('/no/such/mount')).toMatch(/./);
});
