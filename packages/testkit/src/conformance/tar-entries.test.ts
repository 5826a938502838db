import { lstat, readFile, readlink } from 'node:fs/promises';
import { unpackTar } from '@forgejo-runner/kit';
import { expect, it } from 'vitest';
import { openTempFolder } from '../temp-folder.ts';
import { tarOf } from './tar-entries.ts';

it('writes archives that an honest reader takes', async () => {
  await using folder = await openTempFolder();
  const long = `${'long/'.repeat(60)}größe 名前`;
  const entries = [
    { name: 'program', mode: 0o755, content: '#!/bin/sh\n' },
    { name: long, content: 'x'.repeat(1025) },
    { name: 'link', type: '2', link: 'program' },
    { name: 'folder', type: '5' },
  ] as const;
  await unpackTar({ tar: tarOf(entries), dest: folder.path }, AbortSignal.timeout(20_000));
  expect((await lstat(folder.join('program'))).mode & 0o777).toBe(0o755);
  expect(await readFile(folder.join(long), 'utf8')).toHaveLength(1025);
  expect(await readlink(folder.join('link'))).toBe('program');
  expect((await lstat(folder.join('folder'))).isDirectory()).toBe(true);
});
