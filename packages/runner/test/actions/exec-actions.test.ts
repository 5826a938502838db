import { mkdir, readdir, symlink } from 'node:fs/promises';
import type { FactoryRegistry } from '@forgejo-runner/core';
import { openTempFolder, referenceBackend, startGitServer } from '@forgejo-runner/testkit';
import { expect, it } from 'vitest';
import { main } from '../../src/main.ts';
import { fakeIo } from '../fake-io.ts';

it.each([
  ['with git', undefined],
  ['without git', 'bin'],
])('runs actions of the default server in exec, and keeps them in the cache folder of the user, %s', async (_, bin) => {
  await using folder = await openTempFolder();
  await using server = await startGitServer();
  await server.commit('acme/act', {
    'action.yml': 'runs: { using: node20, main: main.js, post: main.js }',
    'main.js': "console.log('it ran')",
  });
  await folder.write({
    'work/.forgejo/workflows/w.yml': 'on: push\njobs: { one: { runs-on: here, steps: [{ uses: acme/act@main }] } }\n',
  });
  await server.git('work', 'init', '--quiet', '--bare');
  const { factory } = referenceBackend();
  const factories: FactoryRegistry = {
    register: () => {},
    get: (id) => (id === factory.id ? { factory } : undefined),
    list: () => [{ factory }],
  };
  const { PATH } = process.env;
  if (bin !== undefined) {
    await mkdir(folder.join(bin));
    await symlink(process.execPath, folder.join(bin, 'node'));
  }
  const env = { HOME: folder.join('home'), NO_COLOR: '1', PATH: bin === undefined ? (PATH ?? '') : folder.join(bin) };
  const { io, stdout, stderr } = fakeIo({ env, cwd: folder.join('work') });
  const args = ['exec', '-P', `here=${factory.id}`, '--default-actions-url', server.url];
  const code = await main(args, io, { factories });
  expect({ code, stderr: stderr() }).toEqual({ code: 0, stderr: '' });
  expect(stdout()).toMatch(/Action acme\/act@main is [0-9a-f]{40} of http:/);
  expect(stdout().match(/it ran/g)).toHaveLength(2);
  expect(await readdir(folder.join('home', '.cache', 'forgejo-runner', 'actions', 'repositories'))).toHaveLength(1);
});
