import { chmod, mkdir, readFile, stat } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { openTempFolder } from './temp-folder.ts';

it('writes files with their folders and removes everything at the end of its scope', async () => {
  let path = '';
  {
    await using folder = await openTempFolder();
    path = folder.path;
    await folder.write({ 'a/b/c.txt': 'text', 'd.bin': new Uint8Array([0, 255]) });
    expect(await readFile(folder.join('a', 'b', 'c.txt'), 'utf8')).toBe('text');
    expect([...(await readFile(folder.join('d.bin')))]).toEqual([0, 255]);
  }
  await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' });
});

it('removes folders that a test made read-only', async () => {
  let path = '';
  {
    await using folder = await openTempFolder();
    path = folder.path;
    await folder.write({ 'locked/inner/file': '' });
    await mkdir(folder.join('locked', 'empty'));
    await chmod(folder.join('locked', 'inner'), 0o000);
    await chmod(folder.join('locked'), 0o500);
  }
  await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' });
});
