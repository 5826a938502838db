import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { fixture, openWorkplace, withFixtureRunner } from './run-builder.ts';

const run = promisify(execFile);

/** Mounts a file system of 4 KiB over a folder, for one command. */
function withTinyDisk(folder: string, command: readonly string[]): string[] {
  const script =
    'mount -t tmpfs -o size=4k none "$1" && cp "$2" "$1/runner.mjs" && shift 2 && "$@"; code=$?; cat "$0/runner.mjs"; ls -A "$0"; exit $code';
  return ['--user', '--map-root-user', '--mount', 'sh', '-c', script, folder, folder, ...command];
}

async function canMount(): Promise<boolean> {
  const probe = ['--user', '--map-root-user', '--mount', 'sh', '-c', 'mount -t tmpfs -o size=4k none /mnt'];
  return run('unshare', probe).then(
    () => true,
    () => false,
  );
}

it('keeps the old output when the disk is full, and leaves no half of the new one', async ({ skip }) => {
  skip(!(await canMount()), 'needs a user namespace that may mount');
  await using workplace = await openWorkplace();
  await workplace.project.write({ 'disk/.keep': '', 'old.mjs': '// the old output\n' });
  await workplace.build(
    ...withFixtureRunner,
    '--with',
    fixture('good'),
    '--output',
    workplace.project.join('warm.mjs'),
  );
  const disk = workplace.project.join('disk');
  const child = workplace.command(...withFixtureRunner, '--with', fixture('good'), '--output', `${disk}/runner.mjs`);
  const args = withTinyDisk(disk, [workplace.project.join('old.mjs'), child.file, ...child.args]);
  const failed = await run('unshare', args, child.options).then(
    () => undefined,
    (error: { code: number; stdout: string; stderr: string }) => error,
  );
  expect(failed?.stderr).toContain(`FRB602 ${disk}/runner.mjs could not be written: the disk is full (ENOSPC)`);
  expect(failed?.code).toBe(6);
  expect(failed?.stdout).toBe('// the old output\nrunner.mjs\n');
  expect(await readdir(disk)).toEqual(['.keep']);
});

it('keeps the old output when the cache cannot hold the new one', async () => {
  await using workplace = await openWorkplace();
  const output = workplace.project.join('runner.mjs');
  await workplace.build(...withFixtureRunner, '--with', fixture('good'), '--output', output);
  const before = await readFile(output, 'utf8');
  // The cache is warm, so the first file of more than 4 KiB is the bundle.
  const child = workplace.command(
    ...withFixtureRunner,
    '--with',
    fixture('good'),
    '--output',
    output,
    '--no-smoke-run',
  );
  const limited = await run('sh', ['-c', 'ulimit -f 8; "$0" "$@"', child.file, ...child.args], child.options).then(
    () => undefined,
    (error: { code: number; stderr: string }) => error,
  );
  expect(limited?.stderr).toContain(
    `FRB604 the cache in ${workplace.cacheDir} could not be written: a file may not be that large here (EFBIG)`,
  );
  expect(limited?.code).toBe(6);
  expect(await readFile(output, 'utf8')).toBe(before);
  expect((await readdir(workplace.project.path)).toSorted()).toEqual(['package.json', 'runner.mjs']);
});
