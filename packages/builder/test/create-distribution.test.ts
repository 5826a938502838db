import { execFileSync } from 'node:child_process';
import { chmod, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openTempFolder } from '@forgejo-runner/testkit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { hasTerminal, onTerminal } from './on-terminal.ts';
import { openWorkplace, runBuilt, type Workplace } from './run-builder.ts';

let place: Workplace;

beforeEach(async () => {
  place = await openWorkplace();
});
afterEach(() => place[Symbol.asyncDispose]());

async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return files.map((file) => file.slice(folder.length + 1)).toSorted();
}

const packaged = [
  'lib/systemd/system/forgejo-runner.service',
  'lib/sysusers.d/forgejo-runner.conf',
  'share/doc/forgejo-runner/README.md',
];

// It packs a whole runner.
it('makes a folder that a runner is packed from as it is', { timeout: 300_000 }, async () => {
  const { code, stdout } = await place.build('create', 'distribution', 'acme-runner', '--title', "Acme's Läufer");
  expect([code, stdout]).toEqual([0, expect.stringContaining('cd acme-runner && npm install')]);
  const folder = place.project.join('acme-runner');
  const files = await filesBelow(folder);
  expect(files).toEqual(
    [
      '.forgejo/workflows/ci.yml',
      '.forgejo/workflows/release.yml',
      '.gitignore',
      'README.md',
      'forgejo-runner.build.yaml',
      'package.json',
      ...packaged.map((file) => `files/${file}`),
    ].toSorted(),
  );
  const texts = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')));
  expect(texts.filter((text) => /__[A-Z]/.test(text))).toEqual([]);
  expect(JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))).toMatchObject({ name: 'acme-runner' });

  // Other platforms have tests of their own, and their Node would have to be downloaded.
  const manifest = join(folder, 'forgejo-runner.build.yaml');
  const text = await readFile(manifest, 'utf8');
  await writeFile(manifest, text.replace(/^target: .*\n/m, ''));
  const packed = await place.build(
    'pack',
    '--manifest',
    manifest,
    '--release',
    '0.1.0',
    '--output',
    join(folder, 'release'),
  );
  expect(packed.stderr).not.toContain('FRB');
  const target = `${process.platform}-${process.arch}`;
  expect(packed.stdout).toMatch(
    new RegExp(`acme-runner-0\\.1\\.0-${target}\\.tar\\.gz \\([\\d.]+ MB, executed here\\)`),
  );
  await using prefix = await openTempFolder();
  const archive = join(folder, 'release', `acme-runner-0.1.0-${target}.tar.gz`);
  execFileSync('tar', ['--extract', '--strip-components=1', '--file', archive], { cwd: prefix.path });
  expect(await filesBelow(prefix.path)).toEqual(expect.arrayContaining(packaged));
  const runner = prefix.join('bin/forgejo-runner');
  expect((await runBuilt(runner, '--version')).stdout).toContain("(Acme's Läufer 0.1.0)");
  expect((await runBuilt(runner, 'list-backends')).stdout).toMatch(/docker[\s\S]*host[\s\S]*lxc/);

  // The runner itself knows best whether the workflows, and the configuration of the README, are right.
  const validated = await runBuilt(runner, 'validate', '--directory', folder);
  expect(validated).toMatchObject({ code: 0, stderr: '' });
  await checkReadme(prefix.join('share/doc/forgejo-runner/README.md'), runner);
});

/** The configuration that the README tells to write has to be one. */
async function checkReadme(readme: string, runner: string): Promise<void> {
  const yaml = /```yaml\n([\s\S]*?)```/.exec(await readFile(readme, 'utf8'))?.[1] ?? '';
  await using folder = await openTempFolder();
  const real = yaml
    .replace('THE-UUID-OF-THE-RUNNER', '7d4b4c0e-6a1f-4a8e-9a53-0f3b1c9c2f11')
    .replace('$CREDENTIALS_DIRECTORY', folder.path);
  await folder.write({ 'config.yml': real, token: '0123456789abcdef0123456789abcdef01234567\n' });
  await chmod(folder.join('token'), 0o600);
  const checked = await runBuilt(runner, 'config', 'check', '--config', folder.join('config.yml'));
  expect(checked).toMatchObject({ code: 0, stderr: '' });
}

it.each([
  [['Not A Name'], 'FRB104 expected the name of a distribution, found "Not A Name"'],
  [['../up'], 'FRB104 expected the name of a distribution, found "../up"'],
  [['a', '--title', 'a: "b"'], 'FRB104 expected the title of a distribution, found "a: \\"b\\""'],
  [['a', '--title', 'x\n- y'], 'FRB104 expected the title of a distribution'],
  [['a', '--id', 'x'], 'FRB101 create distribution: takes no --id'],
  [[], 'FRB101 create distribution: expected the name of the distribution, found none'],
])('makes nothing of %j, and says why', async (args, message) => {
  const { code, stderr } = await place.build('create', 'distribution', ...args);
  expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
  expect(await readdir(place.project.path)).toEqual(['package.json']);
});

it('overwrites nothing', async () => {
  await place.project.write({ 'acme-runner/precious.txt': 'mine' });
  const { code, stderr } = await place.build('create', 'distribution', 'acme-runner');
  expect([code, stderr]).toEqual([2, expect.stringContaining('FRB103')]);
  expect(await readdir(place.project.join('acme-runner'))).toEqual(['precious.txt']);
});

it.runIf(hasTerminal())('asks on a terminal for what it was not told', async () => {
  const { code } = await onTerminal(place.command('create', 'distribution'), [
    { prompt: 'Name of the distribution: ', typed: 'acme-runner' },
    { prompt: 'Name for people (Acme Runner): ', typed: '' },
    { prompt: 'Folder (acme-runner): ', typed: 'here' },
  ]);
  expect(code).toBe(0);
  expect(await readFile(place.project.join('here/forgejo-runner.build.yaml'), 'utf8')).toContain(
    'title: Acme Runner\n',
  );
});
