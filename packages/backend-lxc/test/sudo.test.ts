import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, chown, copyFile, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import type { Verdict } from '@forgejo-runner/testkit';
import { openTempFolder, type TempFolder } from '@forgejo-runner/testkit';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { debianSystem } from '../../../e2e/images/layers.ts';
import { processesWith, whyNoLxc } from './lxc-fixture.ts';

const why =
  whyNoLxc ?? (process.env['CI'] === undefined && !existsSync('/usr/bin/sudo') ? 'sudo is not installed' : undefined);
/** What sudo makes a difference to: environments, streams, signals, files, removal. At night all others as well. */
const quick =
  'C06 C10 C13 C14 C15 C20 C22 C23 C24 C25 C26 C27 C28 C29 C32 C34 C39 C41 C43 C44 C45 C50 C51 C52 C81 C82 C92 C93';
const only = process.env['FORGEJO_RUNNER_NIGHTLY'] === undefined ? quick : '';
const user = `fjr-sudo-${process.pid}`;
const sudoers = `/etc/sudoers.d/${user}`;

describe.skipIf(why !== undefined)(`LXC by sudo${why === undefined ? '' : `: ${why}`}`, () => {
  let folder: TempFolder;
  let uid = 0;
  /** Runs a program as that user, in an environment of its own. */
  const asUser = (
    command: readonly string[],
  ): { readonly code: number | null; readonly out: string; readonly err: string } => {
    const settings = [`HOME=${folder.path}`, 'PATH=/usr/bin:/bin', `TMPDIR=${folder.join('tmp')}`];
    const args = [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', 'env', '-i', ...settings, ...command];
    const { status, stdout, stderr } = spawnSync('setpriv', args, { encoding: 'utf8', cwd: '/', maxBuffer: 2 ** 26 });
    return { code: status, out: stdout, err: stderr };
  };
  const runSuite = (): ReturnType<typeof asUser> =>
    asUser([folder.join('node'), folder.join('suite.mjs'), folder.join('storage'), folder.join('rootfs.tar'), only]);

  beforeAll(async () => {
    folder = await openTempFolder('forgejo-runner-sudo-');
    execFileSync('useradd', ['--no-create-home', '--shell', '/bin/sh', user]);
    uid = Number(execFileSync('id', ['-u', user], { encoding: 'utf8' }));
    // Nothing of this checkout need be readable for that user.
    const outfile = folder.join('suite.mjs');
    const conditions = ['@forgejo-runner/source'];
    const banner = {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    };
    const entryPoints = [`${import.meta.dirname}/fixtures/sudo-suite.ts`];
    await build({
      entryPoints,
      outfile,
      bundle: true,
      platform: 'node',
      format: 'esm',
      conditions,
      banner,
      external: ['vitest'],
      logLevel: 'error',
    });
    await copyFile(process.execPath, folder.join('node'));
    await copyFile((await debianSystem()).file, folder.join('rootfs.tar'));
    await chmod(folder.path, 0o755);
    for (const name of ['storage', 'tmp']) {
      await mkdir(folder.join(name));
      await chown(folder.join(name), uid, uid);
    }
  });
  afterAll(async () => {
    await rm(sudoers, { force: true });
    spawnSync('userdel', [user]);
    await folder[Symbol.asyncDispose]();
  });

  it('says what to do where sudo asks for a password', () => {
    const { out } = runSuite();
    // The first check that opens the backend tells.
    const { checks } = JSON.parse(out) as Verdict;
    const reason = checks.find(({ id }) => id === 'C10')?.reason;
    expect(reason).toContain('expected a runner that is root or may use sudo without a password: sudo says "');
  });

  it('passes the conformance suite, and leaves nothing', { timeout: 600_000 }, async () => {
    await writeFile(sudoers, `${user} ALL=(root) NOPASSWD: ALL\n`, { mode: 0o440 });
    const { out, err } = runSuite();
    expect(err).toBe('');
    const { checks, ...verdict } = JSON.parse(out) as Verdict & { readonly uid: number };
    expect(checks.filter(({ status }) => status === 'failed')).toEqual([]);
    expect(verdict).toMatchObject({ uid, isPassed: true });
    expect(verdict.passed).toBeGreaterThan(23);
    expect(await readdir(folder.join('storage', 'jobs'))).toEqual([]);
    expect(processesWith(folder.join('storage'))).toEqual([]);
  });
});
