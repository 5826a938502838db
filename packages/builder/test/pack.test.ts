import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openTempFolder, type TempFolder } from '@forgejo-runner/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ended, openWorkplace, runBuilt, type Workplace } from './run-builder.ts';

const manifest = `distribution:
  name: acme-runner
  title: Acme Runner
  support: https://acme.example/help
  files: files
`;
const target = `${process.platform}-${process.arch}`;
let cache: TempFolder;
let workplace: Workplace;
let release: string;

beforeAll(async () => {
  cache = await openTempFolder();
  workplace = await openWorkplace({ cacheDir: cache.path });
  release = workplace.project.join('release');
});
afterAll(async () => {
  await workplace[Symbol.asyncDispose]();
  await cache[Symbol.asyncDispose]();
});

describe('a release', () => {
  let packed: Ended;
  beforeAll(async () => {
    await workplace.project.write({
      'forgejo-runner.build.yaml': manifest,
      'files/share/doc/forgejo-runner/README.md': 'of Acme\n',
      'files/bin/acme-setup': '#!/bin/sh\n',
      'files/share/man/man1/forgejo-runner.1': '.TH "of Acme" 1\n',
    });
    await chmod(workplace.project.join('files/bin/acme-setup'), 0o755);
    packed = await workplace.build('pack', '--release', '2.1.0-rc.1');
  }, 300_000);

  it('has a script, an archive, the lock and checksums that sha256sum accepts', async () => {
    expect(packed.stderr).not.toContain('FRB');
    expect(packed.stdout).toContain(`packed acme-runner-2.1.0-rc.1 into ${release}\n`);
    expect(packed.code).toBe(0);
    expect(await readdir(release)).toEqual([
      'SHA256SUMS',
      `acme-runner-2.1.0-rc.1-${target}.tar.gz`,
      'acme-runner-2.1.0-rc.1.LICENSES.txt',
      'acme-runner-2.1.0-rc.1.lock',
      'acme-runner-2.1.0-rc.1.mjs',
      'acme-runner-2.1.0-rc.1.provenance.intoto.json',
      'acme-runner-2.1.0-rc.1.report.html',
      'acme-runner-2.1.0-rc.1.sbom.cdx.json',
    ]);
    const sbom = JSON.parse(await readFile(join(release, 'acme-runner-2.1.0-rc.1.sbom.cdx.json'), 'utf8')) as object;
    expect(sbom).toMatchObject({ bomFormat: 'CycloneDX' });
    const checked = execFileSync('sha256sum', ['--check', '--strict', 'SHA256SUMS'], {
      cwd: release,
      encoding: 'utf8',
    });
    expect(checked.trim().split('\n')).toHaveLength(7);
    const lock = JSON.parse(await readFile(join(release, 'acme-runner-2.1.0-rc.1.lock'), 'utf8')) as object;
    expect(lock).toMatchObject({ lockVersion: 1 });
  });

  it('unpacks to a prefix, with what the runner prints of itself and the files of the distribution over it', async () => {
    await using prefix = await openTempFolder();
    const archive = join(release, `acme-runner-2.1.0-rc.1-${target}.tar.gz`);
    const listed = execFileSync('tar', ['--list', '--verbose', '--file', archive], { encoding: 'utf8' });
    expect(listed.split('\n').filter((line) => line !== '' && !line.includes(' root/root '))).toEqual([]);
    execFileSync('tar', ['--extract', '--strip-components=1', '--file', archive], { cwd: prefix.path });
    const names = await readdir(prefix.path, { recursive: true, withFileTypes: true });
    const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    expect(files.map((file) => file.slice(prefix.path.length + 1)).toSorted()).toEqual([
      'bin/acme-setup',
      'bin/forgejo-runner',
      'share/bash-completion/completions/forgejo-runner',
      'share/doc/forgejo-runner/LICENSES.txt',
      'share/doc/forgejo-runner/README.md',
      'share/doc/forgejo-runner/config.example.yml',
      'share/fish/vendor_completions.d/forgejo-runner.fish',
      'share/man/man1/forgejo-runner.1',
      'share/zsh/site-functions/_forgejo-runner',
    ]);
    const { stdout } = await runBuilt(prefix.join('bin/forgejo-runner'), '--version');
    expect(stdout).toMatch(/^forgejo-runner version v[\d.]+ \(Acme Runner 2\.1\.0-rc\.1\)\n$/);
    expect(execFileSync(prefix.join('bin/acme-setup'), { encoding: 'utf8' })).toBe('');
    expect(await readFile(prefix.join('share/man/man1/forgejo-runner.1'), 'utf8')).toBe('.TH "of Acme" 1\n');
    expect(await readFile(prefix.join('share/doc/forgejo-runner/config.example.yml'), 'utf8')).toContain('runner:');
    execFileSync('bash', ['-n', prefix.join('share/bash-completion/completions/forgejo-runner')]);
  });

  it('comes out the same elsewhere, whatever the time and the modes are, in place of an earlier one', {
    timeout: 300_000,
  }, async () => {
    await using other = await openWorkplace({ cacheDir: cache.path });
    await other.project.write({
      'forgejo-runner.build.yaml': `${manifest}  version: 2.1.0-rc.1\n`,
      'files/share/doc/forgejo-runner/README.md': 'of Acme\n',
      'files/bin/acme-setup': '#!/bin/sh\n',
      'files/share/man/man1/forgejo-runner.1': '.TH "of Acme" 1\n',
      'out/of/it/acme-runner-1.0.0.mjs': 'an earlier one',
      'out/of/it/SHA256SUMS': `${'0'.repeat(64)}  acme-runner-1.0.0.mjs\n`,
    });
    await chmod(other.project.join('files/bin/acme-setup'), 0o700);
    await chmod(other.project.join('files/share/doc/forgejo-runner/README.md'), 0o600);
    other.env['TZ'] = 'Pacific/Auckland';
    const { code, stdout } = await other.build('pack', '--output', 'out/of/it', '--log-format', 'json');
    expect(code).toBe(0);
    const events = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(events.at(-1)).toMatchObject({ event: 'packed', title: 'acme-runner-2.1.0-rc.1' });
    expect(await readdir(other.project.join('out/of/it'))).toEqual(await readdir(release));
    const sums = await readFile(other.project.join('out/of/it/SHA256SUMS'), 'utf8');
    expect(sums).toBe(await readFile(join(release, 'SHA256SUMS'), 'utf8'));
    for (const name of await readdir(release)) {
      expect((await readFile(join(release, name))).includes(cache.path)).toBe(false);
    }
  });

  it('never takes the place of files of somebody else', async () => {
    await writeFile(join(release, 'letters.txt'), 'mine');
    const { code, stderr } = await workplace.build('pack', '--release', '4.0.0');
    expect(stderr).toContain(
      `FRB211 expected an earlier release or an empty folder at ${release}, found letters.txt\n`,
    );
    expect(code).toBe(2);
    expect(await readFile(join(release, 'letters.txt'), 'utf8')).toBe('mine');
    expect(await readdir(release)).toContain('acme-runner-2.1.0-rc.1.mjs');
  });
});

describe('no release', () => {
  async function failing(files: Readonly<Record<string, string>>, ...args: readonly string[]): Promise<string> {
    await using other = await openWorkplace({ cacheDir: cache.path });
    await other.project.write(files);
    const { code, stderr } = await other.build('pack', ...args);
    expect(code).not.toBe(0);
    expect(await readdir(other.project.path)).not.toContain('release');
    expect((await readdir(other.project.path)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    return stderr.replaceAll(other.project.path, '.');
  }
  const file = 'forgejo-runner.build.yaml';

  it.each([
    [{}, [], 'FRB210 expected a manifest with the name of the distribution, found none'],
    [{ [file]: 'distribution: { name: a }\n' }, [], 'FRB210 expected the version of the release, found none'],
    [
      { [file]: 'distribution: { name: a }\n' },
      ['--release', '../x'],
      'FRB210 expected a version such as 1.2.3, found "../x"',
    ],
    [
      { [file]: 'distribution: { name: a, files: nowhere }\n' },
      ['--release', '1.0.0'],
      'FRB210 distribution.files: expected a folder at ./nowhere, found none',
    ],
  ] as const)('of %j with %j', async (files, args, expected) => {
    expect(await failing(files as Readonly<Record<string, string>>, ...args)).toContain(expected);
  });

  it('with a link among its files', async () => {
    await using other = await openWorkplace({ cacheDir: cache.path });
    await other.project.write({ [file]: 'distribution: { name: a, files: files }\n' });
    await mkdir(other.project.join('files'));
    await symlink('/etc/passwd', other.project.join('files/passwd'));
    const { code, stderr } = await other.build('pack', '--release', '1.0.0');
    expect(stderr).toContain(`FRB210 distribution.files: expected files and folders, found something else`);
    expect(code).toBe(2);
  });

  it('where a build fails, and an earlier one stays', async () => {
    await using other = await openWorkplace({ cacheDir: cache.path });
    await other.project.write({ [file]: 'distribution: { name: a, version: 1.0.0 }\nwith: [./nothing]\n' });
    await other.project.write({ 'release/SHA256SUMS': '' });
    expect((await other.build('pack')).stderr).toContain('FRB202');
    expect(await readdir(other.project.join('release'))).toEqual(['SHA256SUMS']);
    await rm(other.project.join('release'), { recursive: true });
  });
});
