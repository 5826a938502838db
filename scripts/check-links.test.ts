import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { openTempFolder } from '@forgejo-runner/testkit';
import { expect, it } from 'vitest';

const script = fileURLToPath(new URL('check-links.mjs', import.meta.url));

async function check(files: Readonly<Record<string, string>>): Promise<readonly [number | null, string]> {
  await using folder = await openTempFolder();
  await folder.write(files);
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, folder.path], { encoding: 'utf8' });
  return [status, (stdout + stderr).replaceAll(folder.path, 'ROOT')];
}

it('finds links that lead nowhere, and says where they stand', async () => {
  const page = [
    'See [a](b.md), [gone](gone.md) and [there](sub/c.md#two-words).',
    '',
    '```md',
    '[not a link](nowhere.md)',
    '```',
    'Nor is `[this](nowhere.md)`, but [that](sub/c.md#three) is.',
    '[outside](../x.md) [web](https://example.org/x) [here](#top) [file](sub/d.txt#l1)',
    '[definition]: sub/none.md',
  ].join('\n');
  const files = {
    'a.md': page,
    'b.md': '# B',
    'sub/c.md': '# Two words!\n',
    'sub/d.txt': '',
    'node_modules/x.md': page,
  };
  expect(await check(files)).toEqual([
    1,
    [
      'a.md:1: gone.md: expected a file or folder, found nothing',
      'a.md:6: sub/c.md#three: expected a heading "#three", found none',
      'a.md:7: ../x.md: expected a file of this repository',
      'a.md:7: #top: expected a heading "#top", found none',
      'a.md:7: sub/d.txt#l1: expected a page, which has headings',
      'a.md:8: sub/none.md: expected a file or folder, found nothing',
      '',
    ].join('\n'),
  ]);
});

it('is content with links to files, folders and repeated headings', async () => {
  const page = '# Top\n## The `same`\n## The same\n[1](#top) [2](#the-same-1) [3](sub) [4](sub/d%20e.txt "title")\n';
  expect(await check({ 'a.md': page, 'sub/d e.txt': '' })).toEqual([0, '4 links between pages lead somewhere\n']);
});

it('fails where there is nothing to check', async () => {
  expect(await check({ 'a.md': 'no link' })).toEqual([
    1,
    'ROOT: expected pages with links, found none; the check would prove nothing\n',
  ]);
});
