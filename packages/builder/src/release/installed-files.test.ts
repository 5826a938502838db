import { expect, it } from 'vitest';
import { archiveEntries } from './installed-files.ts';

const installed = [
  'lib/systemd/system/forgejo-runner.service',
  'share/bash-completion/completions/forgejo-runner',
  'share/doc/forgejo-runner/README.md',
  'share/man/man1/forgejo-runner.1',
].map((path) => ({ path, source: { contents: '' }, isExecutable: false }));

it.each([
  ['linux-x64', [...installed.map(({ path }) => path), 'bin/forgejo-runner']],
  ['darwin-arm64', [...installed.slice(1).map(({ path }) => path), 'bin/forgejo-runner']],
  ['win-x64', ['share/doc/forgejo-runner/README.md', 'bin/forgejo-runner.exe']],
] as const)('has for %s what is of use there', (target, paths) => {
  const entries = archiveEntries(target, '/tmp/runner', installed);
  expect(entries.map(({ path }) => path)).toEqual(paths);
  expect(entries.filter(({ isExecutable }) => isExecutable)).toHaveLength(1);
});
