import { openTempFolder } from '@forgejo-runner/testkit';
import { symlink } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { findNpm } from './npm.ts';

it('prefers the npm that started us, and knows that it is one', async () => {
  await using folder = await openTempFolder();
  await folder.write({ 'npm/bin/npm-cli.js': '', 'yarn/bin/yarn.js': '', 'bin/node': '' });
  const npm = folder.join('npm/bin/npm-cli.js');
  expect(findNpm({ npm_execpath: npm }, folder.join('bin/node'))).toBe(npm);
  expect(() => findNpm({ npm_execpath: folder.join('yarn/bin/yarn.js') }, folder.join('bin/node'))).toThrow(
    'expected npm beside Node or on PATH, found none',
  );
});

it('finds the npm beside Node', async () => {
  await using folder = await openTempFolder();
  await folder.write({ 'lib/node_modules/npm/bin/npm-cli.js': '', 'bin/node': '' });
  expect(findNpm({}, folder.join('bin/node'))).toBe(folder.join('lib/node_modules/npm/bin/npm-cli.js'));
});

it('follows the link on PATH', async () => {
  await using folder = await openTempFolder();
  await folder.write({ 'lib/npm/bin/npm-cli.js': '', 'bin/.keep': '', 'other/node': '' });
  await symlink('../lib/npm/bin/npm-cli.js', folder.join('bin/npm'));
  const PATH = `/nowhere::${folder.join('bin')}`;
  expect(findNpm({ PATH }, folder.join('other/node'))).toBe(folder.join('lib/npm/bin/npm-cli.js'));
});
