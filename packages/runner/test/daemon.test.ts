import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RunnerService } from '@forgejo-runner/protocol';
import { checkReport, eventually } from '@forgejo-runner/testkit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type DaemonFolder, jobHere, openDaemonFolder } from './daemon-folder.ts';
import { serveInstance } from './served-instance.ts';

let daemon: DaemonFolder;
beforeEach(async () => {
  daemon = await openDaemonFolder();
  await daemon.configure();
});
afterEach(() => daemon[Symbol.asyncDispose]());

it('runs jobs of an instance and reports them, until it is told to stop', async () => {
  const { forgejo } = daemon;
  const first = forgejo.addJob({
    workflow: jobHere('echo "one ${{ secrets.PASS }}"', 'exit 3'),
    secrets: { PASS: 'hunter2x' },
  });
  const second = forgejo.addJob(jobHere('seq 3'));
  const started = daemon.start('-c', 'config.yml', 'daemon');
  expect(await first.ended()).toBe('failure');
  expect(await second.ended()).toBe('success');
  expect(checkReport(second, { rows: ['1', '2', '3'] })).toEqual([]);
  expect(first.stepTexts(0)).toContain('one ***');
  expect(await started.stop()).toBe(0);
  expect(started.stderr()).toContain('the runner takes jobs');
  expect(started.stderr()).not.toContain(daemon.runner.token);
  // What is kept on the disk is masked as well.
  const kept = await readdir(daemon.folder.join('state'), { recursive: true, withFileTypes: true });
  const files = kept.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const logs = files.filter((path) => path.endsWith('/log'));
  expect(logs).toHaveLength(2);
  for (const path of files) expect((await readFile(path)).includes('hunter2x')).toBe(false);
  const { stdout } = await daemon.run('jobs', '--json');
  expect(JSON.parse(stdout)).toMatchObject({ jobs: [{ result: expect.any(String) }, { delivery: 'delivered' }] });
});

it('prunes what its backends keep, when it starts', async () => {
  const started = daemon.start('daemon', '-c', 'config.yml');
  const marker = daemon.folder.join('state', 'forgejo-runner', 'runners', daemon.runner.uuid, 'pruned');
  await eventually(() => existsSync(marker), { what: 'the time of the last pruning' });
  expect(await started.stop()).toBe(0);
});

it('starts while the instance is away', async () => {
  const { forgejo } = daemon;
  await forgejo.stop();
  const started = daemon.start('daemon', '-c', 'config.yml');
  await eventually(() => started.stderr().includes('FRR701'), { what: 'FRR701' });
  await forgejo.start();
  const job = forgejo.addJob(jobHere('echo back'));
  expect(await job.ended()).toBe('success');
  await started.stop();
});

it('ends as it always does when it is told to stop before it took jobs', async () => {
  const started = daemon.start('daemon', '-c', 'config.yml');
  expect(await started.stop()).toBe(0);
  expect(started.stderr()).not.toContain('takes jobs');
});

it('cancels a job that was cancelled on the instance', async () => {
  const job = daemon.forgejo.addJob(jobHere('sleep 1000'));
  const started = daemon.start('daemon', '-c', 'config.yml');
  await job.taken();
  await eventually(() => job.steps().length);
  job.cancel();
  await eventually(() => started.stderr().includes('result=cancelled'), { what: 'result=cancelled' });
  expect(await started.stop()).toBe(0);
});

it('lets running jobs come to their end within shutdown_timeout, and takes no more', async () => {
  await daemon.configure('', '  capacity: 1\n  shutdown_timeout: 1h');
  const { forgejo, folder } = daemon;
  const running = forgejo.addJob(jobHere(`until [ -e ${folder.join('go')} ]; do sleep 0.01; done`));
  const started = daemon.start('daemon', '-c', 'config.yml');
  await running.taken();
  const waiting = forgejo.addJob(jobHere('echo never'));
  started.interrupt.abort(new Error('stop'));
  await eventually(() => started.stderr().includes('no more jobs are taken'), { what: 'no more jobs are taken' });
  await folder.write({ go: '' });
  expect(await started.code).toBe(0);
  expect(await running.ended()).toBe('success');
  expect(waiting.taskId()).toBeUndefined();
});

it('cancels running jobs at once without shutdown_timeout', async () => {
  const job = daemon.forgejo.addJob(jobHere('sleep 1000'));
  const started = daemon.start('daemon', '-c', 'config.yml');
  await job.taken();
  expect(await started.stop()).toBe(0);
  expect(await job.ended()).toBe('cancelled');
  expect(job.texts()).toContainEqual(expect.stringContaining('because the runner stops'));
});

it('waits for no instance at the second signal, and reports at the next start', async () => {
  const { forgejo } = daemon;
  const job = forgejo.addJob(jobHere('echo here; sleep 1000'));
  const started = daemon.start('daemon', '-c', 'config.yml');
  await eventually(() => job.texts().includes('here'));
  await forgejo.stop();
  started.interrupt.abort(new Error('stop'));
  started.hurry.abort(new Error('now'));
  expect(await started.code).toBe(0);
  await forgejo.start();
  const next = daemon.start('daemon', '-c', 'config.yml');
  expect(await job.ended()).toBe('cancelled');
  await next.stop();
});

it('reports a task that it cannot read as failed, with the reason', async () => {
  const job = daemon.forgejo.addJob({ workflow: new TextEncoder().encode('jobs: ['), runsOn: ['here'] });
  const started = daemon.start('daemon', '-c', 'config.yml');
  expect(await job.ended()).toBe('failure');
  expect(job.texts().join('\n')).toContain('##[error]');
  await started.stop();
});

it('says what is wrong with a token, and goes on asking', async () => {
  daemon.forgejo.deleteRunner(daemon.runner.uuid);
  const started = daemon.start('daemon', '-c', 'config.yml');
  await eventually(() => started.stderr().includes('FRR702'), { what: 'FRR702' });
  expect(started.stderr()).not.toContain(daemon.runner.token);
  expect(await started.stop()).toBe(0);
});

it('is the only process of its runner', async () => {
  const first = daemon.start('daemon', '-c', 'config.yml');
  await eventually(() => first.stderr().includes('takes jobs'), { what: 'takes jobs' });
  const { code, stderr } = await daemon.run('daemon', '-c', 'config.yml');
  expect(code).toBe(1);
  expect(stderr).toContain('FRR204');
  await first.stop();
});

it('refuses a runner for one job, and a configuration without connections', async () => {
  const { uuid, token } = daemon.forgejo.addRunner({ labels: ['here'], ephemeral: true });
  await daemon.folder.write({ token });
  const flags = ['--url', daemon.forgejo.url, '--uuid', uuid, '--token-url', 'file:token', '--label', 'here:reference'];
  const refused = await daemon.run('daemon', ...flags);
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('FRR708') });
  const none = await daemon.run('daemon');
  expect(none).toMatchObject({ code: 1, stderr: expect.stringContaining('expected a connection') });
});

it('runs one job, and says by its exit code that there is none', async () => {
  const { forgejo } = daemon;
  expect(await daemon.run('one-job', '-c', 'config.yml')).toMatchObject({ code: 2 });
  const job = forgejo.addJob(jobHere('echo one'));
  expect(await daemon.run('one-job', '-c', 'config.yml')).toMatchObject({ code: 0 });
  expect(await job.ended()).toBe('success');
});

it('waits for the job of a handle on a runner for one job', async () => {
  const { uuid, token } = daemon.forgejo.addRunner({ labels: ['here'], ephemeral: true });
  await daemon.folder.write({ token: `${token}\n` });
  const other = daemon.forgejo.addJob(jobHere('echo other'));
  const job = daemon.forgejo.addJob(jobHere('echo mine'));
  const flags = ['--url', daemon.forgejo.url, '--uuid', uuid, '--token-url', 'file:token', '--label', 'here:reference'];
  const started = daemon.start('one-job', ...flags, '--fetch-interval', '20ms', '--wait', '--handle', job.handle);
  expect(await started.code).toBe(0);
  expect(await job.ended()).toBe('success');
  expect(other.taskId()).toBeUndefined();
});

it('does not wait for a job as a runner that the instance does not know', async () => {
  await daemon.configure();
  const { forgejo, runner } = daemon;
  const waiting = daemon.start('one-job', '--wait', '-c', 'config.yml');
  await eventually(() => forgejo.record.count('FetchTask') > 1);
  forgejo.deleteRunner(runner.uuid);
  expect(await waiting.code).toBe(1);
  expect(waiting.stderr()).toMatch(/error FRR702: .*unregistered runner.*next: check uuid and token/s);
  // And from its start.
  const { code, stderr } = await daemon.run('one-job', '--wait', '-c', 'config.yml');
  expect(code).toBe(1);
  expect(stderr).toContain('error FRR702');
});

it('runs no more jobs of a label than it has places, and others meanwhile', async () => {
  const { forgejo, folder } = daemon;
  await daemon.configure('', '  capacity: 3\n  label_capacity: { here: 1 }', 'here:reference", "there');
  const waits = `until [ -e ${folder.join('go')} ]; do sleep 0.01; done`;
  const first = forgejo.addJob(jobHere(waits));
  const started = daemon.start('daemon', '-c', 'config.yml');
  await eventually(() => first.steps().length);
  const second = forgejo.addJob(jobHere('echo second'));
  const other = forgejo.addJob(jobHere('echo other').replace('here', 'there'));
  expect(await other.ended()).toBe('success');
  expect(second.taskId()).toBeUndefined();
  await folder.write({ go: '' });
  expect(await first.ended()).toBe('success');
  expect(await second.ended()).toBe('success');
  await started.stop();
});

it('runs a task once that an answer has twice', async () => {
  const workflowPayload = new TextEncoder().encode(
    `on: push\njobs:\n  a:\n    runs-on: here\n    steps: [{ run: echo one }]\n`,
  );
  const task = { id: 5n, workflowPayload, context: { event_name: 'push' } };
  let answers = 0;
  const rows: string[] = [];
  const results: number[] = [];
  await using served = await serveInstance((router) =>
    router.service(RunnerService, {
      declare: () => ({ runner: {} }),
      fetchTask: () => (answers++ === 0 ? { task, additionalTasks: [task] } : {}),
      updateLog: (request) => {
        rows.push(...request.rows.slice(rows.length - Number(request.index)).map(({ content }) => content));
        return { ackIndex: BigInt(rows.length) };
      },
      updateTask: ({ state }) => {
        if (state !== undefined && state.result !== 0) results.push(state.result);
        return { state: { result: state?.result ?? 0 } };
      },
    }),
  );
  const { uuid, token } = daemon.runner;
  const connection = `{ url: "${served.url}", uuid: ${uuid}, token: ${token} }`;
  await daemon.folder.write({
    'config.yml': `runner: { labels: ["here:reference"], fetch_interval: 20ms, report_interval: 20ms }\nserver: { connections: { main: ${connection} } }`,
  });
  const started = daemon.start('daemon', '-c', 'config.yml');
  await eventually(() => started.stderr().includes('a task came twice'));
  await eventually(() => results.length);
  expect(await started.stop()).toBe(0);
  expect(results).toEqual([1]);
  expect(rows.filter((row) => row === 'one')).toEqual(['one']);
});
