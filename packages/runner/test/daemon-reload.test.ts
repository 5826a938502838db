import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { eventually } from '@forgejo-runner/testkit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type DaemonFolder, jobHere, openDaemonFolder, type StartedRunner } from './daemon-folder.ts';

let daemon: DaemonFolder;
let started: StartedRunner;
beforeEach(async () => {
  daemon = await openDaemonFolder();
  await daemon.configure('', '  capacity: 1');
  started = daemon.start('daemon', '-c', 'config.yml');
  await eventually(() => started.stderr().includes('the instance knows this runner'));
});
afterEach(async () => {
  await started.stop();
  await daemon[Symbol.asyncDispose]();
});

it('has other labels, capacity and log level count at once, and says what does not', async () => {
  const { forgejo, folder } = daemon;
  const running = forgejo.addJob(jobHere(`until [ -e ${folder.join('go')} ]; do sleep 0.01; done`));
  await running.taken();
  await daemon.configure('log: { level: debug }\ncache: { max_size: 1GiB }', '  capacity: 2\n  timeout: 1h', 'there');
  started.hangUp();
  await eventually(() => started.stderr().includes('was read again'), { what: 'was read again' });
  expect(started.stderr()).toMatch(/count after a restart keys=\["cache.max_size","runner.timeout"\]/);
  const job = forgejo.addJob(jobHere('echo moved').replace('here', 'there'));
  expect(await job.ended()).toBe('success');
  // The job that ran before keeps its place.
  await folder.write({ go: '' });
  expect(await running.ended()).toBe('success');
  await eventually(() => daemon.backend.environments().length === 0);
});

it('keeps what it has when the configuration is wrong', async () => {
  await daemon.configure('', '  capasity: 1');
  started.hangUp();
  await eventually(() => started.stderr().includes('capasity'), { what: 'capasity' });
  expect(await daemon.forgejo.addJob(jobHere('echo one')).ended()).toBe('success');
});

it.skipIf(process.platform === 'win32')(
  'reads its configuration again when it is up, if SIGHUP came before',
  async () => {
    await started.stop();
    const { folder } = daemon;
    const path = folder.join('config.yml');
    const config = await readFile(path);
    // Whoever reads it waits until somebody writes.
    await promisify(execFile)('mkfifo', [folder.join('slow.yml')]);
    started = daemon.start('daemon', '-c', 'slow.yml');
    await eventually(() => started.hangUp(), { what: 'a daemon that listens' });
    await writeFile(folder.join('slow.yml'), config);
    await eventually(() => started.stderr().includes('the runner takes jobs'));
    await writeFile(folder.join('slow.yml'), config);
    await eventually(() => started.stderr().includes('was read again'));
    expect(started.stderr().match(/was read again/g)).toHaveLength(1);
  },
);
