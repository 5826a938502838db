import { request } from 'node:http';
import { Result } from '@forgejo-runner/protocol';
import { expect, it } from 'vitest';
import {
  type FakeForgejo,
  heldClock,
  openTempFolder,
  shiftedClock,
  startFakeForgejo,
  type ServerVersion,
} from '../src/index.ts';
import { clientOf, failureOf } from './runner-client.ts';

const steps = `
  runs-on: linux
  steps:
    - run: echo one
    - run: echo two
`;

function openRunner(forgejo: FakeForgejo, options: { ephemeral?: boolean; labels?: readonly string[] } = {}) {
  const runner = forgejo.addRunner({ labels: ['linux'], ...options });
  const { uuid, token } = runner;
  return {
    runner,
    client: clientOf(forgejo, { uuid, token }),
    as: (requestKey: string) => clientOf(forgejo, { uuid, token, requestKey }),
  };
}

const row = (content: string) => ({ content, time: { seconds: 1n, nanos: 0 } });

it('answers a ping without asking who it is', async () => {
  await using forgejo = await startFakeForgejo();
  expect((await clientOf(forgejo).ping({ data: 'X' })).data).toBe('Hello, X!');
});

it('registers whoever has an active token, in its scope', async () => {
  await using forgejo = await startFakeForgejo();
  const { token, revoke } = forgejo.addRegistrationToken({ repository: 'a/b' });
  const client = clientOf(forgejo);
  const { runner } = await client.register({
    name: 'n'.repeat(300),
    token,
    labels: ['x'],
    version: 'v',
    ephemeral: true,
  });
  expect(runner).toMatchObject({ name: 'n'.repeat(255), labels: ['x'], version: 'v', ephemeral: true });
  expect(forgejo.runners()[0]).toMatchObject({
    uuid: runner?.uuid,
    token: runner?.token,
    scope: { repository: 'a/b' },
  });
  revoke();
  expect(await failureOf(client.register({ name: 'n', token }))).toMatch(/^InvalidArgument: .*invalidated/);
  expect(await failureOf(client.register({ name: 'n', token: 'x' }))).toBe(
    'InvalidArgument: runner registration token not found',
  );
  expect(await failureOf(client.register({ token }))).toBe('InvalidArgument: missing runner token, name');
});

it('knows nobody with a wrong token, or who was deleted', async () => {
  await using forgejo = await startFakeForgejo();
  const { runner, client } = openRunner(forgejo);
  const stranger = clientOf(forgejo, { uuid: runner.uuid, token: 'x' });
  expect(await failureOf(stranger.declare({}))).toBe('Unauthenticated: unregistered runner');
  await client.declare({ labels: ['linux'], version: '1' });
  expect(forgejo.runnerStatus(runner.uuid)).toBe('idle');
  forgejo.deleteRunner(runner.uuid);
  expect(await failureOf(client.fetchTask({}))).toBe('Unauthenticated: unregistered runner');
  expect(forgejo.runnerStatus(runner.uuid)).toBe('deleted');
});

it('hands out a job whose labels the runner has, with all that it needs', async () => {
  await using forgejo = await startFakeForgejo({ defaultActionsUrl: 'http://127.0.0.1:1' });
  const { client } = openRunner(forgejo);
  forgejo.addJob('runs-on: [linux, gpu]');
  const job = forgejo.addJob({
    workflow: steps,
    secrets: { A: 'secret' },
    vars: { V: 'v' },
    context: { ref_name: 'x' },
  });
  const { task, tasksVersion } = await client.fetchTask({});
  expect(new TextDecoder().decode(task?.workflowPayload)).toContain('echo one');
  expect(task?.secrets).toMatchObject({ A: 'secret', FORGEJO_TOKEN: job.token(), GITHUB_TOKEN: job.token() });
  expect(task?.vars).toEqual({ V: 'v' });
  expect(task?.context).toMatchObject({
    server_url: forgejo.url,
    ref_name: 'x',
    token: job.token(),
    gitea_default_actions_url: 'http://127.0.0.1:1',
  });
  expect(job.status()).toBe('running');
  expect((await client.fetchTask({ tasksVersion })).task).toBeUndefined();
});

it('looks for jobs only where the version of the runner is another one', async () => {
  await using forgejo = await startFakeForgejo();
  const { client } = openRunner(forgejo);
  forgejo.addJob(steps);
  forgejo.addJob(steps);
  const first = await client.fetchTask({});
  // The version did not rise when the first job was taken, so the second one is not seen.
  expect((await client.fetchTask({ tasksVersion: first.tasksVersion })).task).toBeUndefined();
  expect((await client.fetchTask({ tasksVersion: 0n })).task?.id).toBe(2n);
  forgejo.addJob(steps);
  const third = await client.fetchTask({ tasksVersion: first.tasksVersion });
  expect([third.task?.id, third.tasksVersion > first.tasksVersion]).toEqual([3n, true]);
});

it('takes the job of the highest priority, then the one that waits longest, one at a time in a concurrency group', async () => {
  await using forgejo = await startFakeForgejo();
  const { client } = openRunner(forgejo);
  const [first, grouped, urgent, held] = [
    forgejo.addJob(steps),
    forgejo.addJob({ workflow: steps, concurrencyGroup: 'g' }),
    forgejo.addJob({ workflow: steps, priority: 1 }),
    forgejo.addJob({ workflow: steps, concurrencyGroup: 'g' }),
  ];
  const { task, additionalTasks } = await client.fetchTask({ taskCapacity: 5n });
  expect([task, ...additionalTasks].map((one) => Number(one?.id))).toEqual([1, 2, 3]);
  expect([urgent, first, grouped].map((job) => job.taskId())).toEqual([1, 2, 3]);
  expect(held.status()).toBe('waiting');
  await client.updateTask({ state: { id: 3n, result: Result.SUCCESS } });
  await client.fetchTask({});
  expect(held.status()).toBe('running');
});

it('gives the tasks of a request key once again, with new tokens', async () => {
  await using forgejo = await startFakeForgejo();
  const { as } = openRunner(forgejo);
  const jobs = [forgejo.addJob(steps), forgejo.addJob(steps)];
  const first = await as('k1').fetchTask({ taskCapacity: 2n });
  const tokens = jobs.map((job) => job.token());
  const again = await as('k1').fetchTask({ taskCapacity: 2n, tasksVersion: first.tasksVersion });
  expect([again.task?.id, again.additionalTasks[0]?.id, again.tasksVersion]).toEqual([1n, 2n, 0n]);
  expect(jobs.map((job) => job.token())).not.toEqual(tokens);
  expect(again.task?.secrets['FORGEJO_TOKEN']).toBe(jobs[0]?.token());
  expect((await as('k2').fetchTask({})).task).toBeUndefined();
  expect(await failureOf(as('k1').fetchSingleTask({}))).toMatch(/cannot recover 2 tasks/);
  const other = openRunner(forgejo).as('k1');
  expect((await other.fetchTask({})).task).toBeUndefined();
});

it('gives one certain job to who knows its handle', async () => {
  await using forgejo = await startFakeForgejo();
  const { client, as } = openRunner(forgejo);
  forgejo.addJob(steps);
  const wanted = forgejo.addJob({ workflow: steps, handle: 'wanted' });
  expect((await client.fetchSingleTask({ handle: 'other' })).task).toBeUndefined();
  const { task } = await as('k').fetchSingleTask({ handle: 'wanted' });
  expect([Number(task?.id), wanted.status()]).toEqual([wanted.taskId(), 'running']);
  expect((await as('k').fetchSingleTask({ handle: 'wanted' })).task?.id).toBe(task?.id);
});

it('keeps rows as they come, whatever comes twice, too early or too late', async () => {
  await using forgejo = await startFakeForgejo();
  const { client } = openRunner(forgejo);
  const job = forgejo.addJob(steps);
  await client.fetchTask({});
  const send = async (index: number, rows: readonly string[], noMore = false) =>
    Number((await client.updateLog({ taskId: 1n, index: BigInt(index), rows: rows.map(row), noMore })).ackIndex);
  expect(await send(0, ['a', 'b'])).toBe(2);
  expect(await send(1, ['b', 'c'])).toBe(3);
  expect(await send(5, ['f'])).toBe(3);
  expect(await send(0, ['a'])).toBe(3);
  expect(await send(3, [], true)).toBe(3);
  expect(job.isArchived()).toBe(false);
  expect(await send(3, [`d\ne`, 'x'.repeat(70_000)], true)).toBe(5);
  expect(job.texts().map((text) => text.slice(0, 5))).toEqual(['a', 'b', 'c', String.raw`d\ne`, 'xxxxx']);
  expect(job.texts()[4]).toHaveLength(65_536);
  expect(job.isArchived()).toBe(true);
  expect(await failureOf(send(5, ['g']))).toBe('AlreadyExists: log file has been archived');
  expect(await send(0, ['a'])).toBe(5);
  expect(job.differingRows()).toBe(0);
  await send(0, ['z']);
  expect(job.differingRows()).toBe(1);
});

it('takes states until the result, keeps the first value of outputs, and tells all that it has', async () => {
  await using forgejo = await startFakeForgejo();
  const { client } = openRunner(forgejo);
  const job = forgejo.addJob(steps);
  await client.fetchTask({});
  const at = { seconds: 1n, nanos: 0 };
  const done = { id: 0n, result: Result.SUCCESS, startedAt: at, stoppedAt: at, logIndex: 1n, logLength: 2n };
  const running = { id: 1n, startedAt: at, logIndex: 3n };
  const first = await client.updateTask({
    state: { id: 1n, steps: [done, running] },
    outputs: { a: '1', ['k'.repeat(256)]: 'x', large: 'x'.repeat(1024 * 1024 + 1) },
  });
  expect(first).toMatchObject({ state: { id: 1n, result: Result.UNSPECIFIED }, sentOutputs: ['a'] });
  expect(job.steps()[0]).toEqual({
    index: 0,
    status: 'success',
    startedAtMs: 1000,
    stoppedAtMs: 1000,
    logIndex: 1,
    logLength: 2,
  });
  const second = await client.updateTask({ state: { id: 1n, steps: [running] }, outputs: { a: '2', b: '3' } });
  expect(second.sentOutputs).toEqual(['a', 'b']);
  expect(job.steps().map(({ status }) => status)).toEqual(['running', 'running']);
  const token = job.token();
  await client.updateTask({ state: { id: 1n, result: Result.FAILURE, steps: [done] } });
  expect([token === undefined, job.token(), job.status(), job.outputs()]).toEqual([
    false,
    undefined,
    'failure',
    { a: '1', b: '3' },
  ]);
  const late = await client.updateTask({ state: { id: 1n, result: Result.SUCCESS } });
  expect(late.state?.result).toBe(Result.FAILURE);
  expect(await failureOf(client.updateTask({ state: { id: 9n } }))).toBe(
    'Internal: update task: resource does not exist',
  );
  expect(await failureOf(openRunner(forgejo).client.updateLog({ taskId: 1n }))).toBe(
    'Internal: invalid runner for task',
  );
});

it('tells a runner that somebody cancelled its job', async () => {
  await using forgejo = await startFakeForgejo();
  const { client } = openRunner(forgejo);
  const [job, waiting] = [forgejo.addJob(steps), forgejo.addJob(steps)];
  await client.fetchTask({});
  await client.updateTask({ state: { id: 1n, steps: [{ id: 0n, result: Result.SUCCESS }] } });
  job.cancel();
  waiting.cancel();
  expect((await client.updateTask({ state: { id: 1n } })).state?.result).toBe(Result.CANCELLED);
  expect(job.steps().map(({ status }) => status)).toEqual(['success', 'cancelled']);
  expect(waiting.status()).toBe('cancelled');
});

it('lets jobs wait for those that they need', async () => {
  await using forgejo = await startFakeForgejo();
  const { client } = openRunner(forgejo);
  const first = forgejo.addJob(steps);
  const next = forgejo.addJob(steps, { first });
  const cleanup = forgejo.addJob(`{ runs-on: linux, if: always(), steps: [] }`, { next });
  const skipped = forgejo.addJob(steps, { next });
  const { tasksVersion } = await client.fetchTask({ taskCapacity: 9n });
  expect([first, next].map((job) => job.status())).toEqual(['running', 'blocked']);
  await client.updateTask({ state: { id: 1n, result: Result.SUCCESS }, outputs: { o: 'v' } });
  const { task } = await client.fetchTask({ tasksVersion });
  expect(task?.needs['first']).toMatchObject({ result: Result.SUCCESS, outputs: { o: 'v' } });
  await client.updateTask({ state: { id: 2n, result: Result.FAILURE } });
  expect([cleanup, skipped].map((job) => job.status())).toEqual(['waiting', 'skipped']);
});

it('gives a runner for one task one task, and forgets it with the result', async () => {
  await using forgejo = await startFakeForgejo();
  const { runner, client, as } = openRunner(forgejo, { ephemeral: true });
  forgejo.addJob(steps);
  forgejo.addJob(steps);
  const { task, additionalTasks } = await as('k').fetchTask({ taskCapacity: 2n });
  expect([task?.id, additionalTasks.length]).toEqual([1n, 0]);
  expect((await client.fetchTask({})).task).toBeUndefined();
  expect((await as('k').fetchTask({})).task?.id).toBe(1n);
  await client.updateTask({ state: { id: 1n, result: Result.SUCCESS } });
  expect(await failureOf(client.updateLog({ taskId: 1n }))).toBe('Unauthenticated: unregistered runner');
  expect(forgejo.runnerStatus(runner.uuid)).toBe('deleted');
});

it('gives up on tasks and jobs by a clock that the test drives', async () => {
  const clock = heldClock();
  await using forgejo = await startFakeForgejo({ clock });
  const { runner, client } = openRunner(forgejo);
  const [zombie, endless] = [forgejo.addJob(steps), forgejo.addJob(steps)];
  const abandoned = forgejo.addJob('runs-on: nowhere');
  await client.fetchTask({ taskCapacity: 2n });
  await client.updateLog({ taskId: 1n, rows: [row('a')] });
  for (let minutes = 0; minutes < 180; minutes += 9) {
    clock.advance(9 * 60_000);
    expect(endless.status()).toBe('running');
    await client.updateTask({ state: { id: 2n } });
  }
  expect([zombie.status(), zombie.isArchived()]).toEqual(['failure', true]);
  clock.advance(1);
  expect([endless.status(), abandoned.status()]).toEqual(['failure', 'waiting']);
  expect(await failureOf(client.updateLog({ taskId: 1n, index: 1n, rows: [row('b')] }))).toMatch(/^AlreadyExists/);
  clock.advance(21 * 60 * 60_000);
  expect(abandoned.status()).toBe('cancelled');
  await client.fetchTask({});
  expect(forgejo.runnerStatus(runner.uuid)).toBe('idle');
  clock.advance(61_000);
  expect(forgejo.runnerStatus(runner.uuid)).toBe('offline');
});

it.each<[ServerVersion, string]>([
  ['1.20', 'no Declare; task 1; no FetchSingleTask'],
  ['7.0.0', 'Declare; task 1; no FetchSingleTask'],
  ['11.0.0', 'Declare; task 1; no FetchSingleTask'],
  ['14.0.0', 'Declare; additional 1 2; no FetchSingleTask'],
  ['14.0.2', 'Declare; task 1 additional 2; no FetchSingleTask'],
  ['15.0.0', 'Declare; task 1 additional 2 again; FetchSingleTask'],
])('does what Forgejo %s does: %s', async (version, expected) => {
  await using forgejo = await startFakeForgejo({ version });
  const { client, as } = openRunner(forgejo);
  const said = [`${await known(client.declare({ labels: ['linux'] }))}Declare`];
  forgejo.addJob(steps);
  forgejo.addJob(steps);
  const { task, additionalTasks } = await as('k').fetchTask({ taskCapacity: 2n });
  const again = (await as('k').fetchTask({ taskCapacity: 2n })).task?.id === task?.id && task !== undefined;
  const additional = additionalTasks.map(({ id }) => id).join(' ');
  said.push(
    [task && `task ${task.id}`, additional && `additional ${additional}`, again && 'again'].filter(Boolean).join(' '),
  );
  said.push(`${await known(client.fetchSingleTask({}))}FetchSingleTask`);
  expect(said.join('; ')).toBe(expected);
});

async function known(answer: Promise<unknown>): Promise<string> {
  const [settled] = await Promise.allSettled([answer]);
  if (settled.status === 'fulfilled') return '';
  return String(settled.reason).includes('[unimplemented] HTTP 404') ? 'no ' : String(settled.reason);
}

it.each([
  { binary: false, gzip: false },
  { binary: false, gzip: true },
  { binary: true, gzip: false },
  { binary: true, gzip: true },
])('speaks JSON and binary, plain and compressed: %o', async ({ binary, gzip }) => {
  await using forgejo = await startFakeForgejo();
  const { uuid, token } = forgejo.addRunner({ labels: ['linux'] });
  const client = clientOf(forgejo, { uuid, token, binary, gzip });
  const job = forgejo.addJob({ workflow: steps, vars: { long: 'x'.repeat(5000) } });
  const { task } = await client.fetchTask({ taskCapacity: 1n });
  expect(task?.vars['long']).toHaveLength(5000);
  await client.updateLog({ taskId: 1n, rows: [row('é\u0000')], noMore: true });
  expect(job.texts()).toEqual(['é\u0000']);
  expect(forgejo.record.all.map(({ codec, isCompressed, runner }) => ({ codec, isCompressed, runner }))).toEqual(
    Array.from({ length: 2 }, () => ({ codec: binary ? 'binary' : 'json', isCompressed: gzip, runner: uuid })),
  );
});

it('listens at a socket, below a path, and again after it was stopped', async () => {
  await using folder = await openTempFolder();
  const socketPath = folder.join('forgejo.sock');
  await using atSocket = await startFakeForgejo({ socketPath });
  expect(atSocket.url).toBe(`unix://${socketPath}`);
  expect((await clientOf(atSocket, { socketPath }).ping({ data: 'X' })).data).toBe('Hello, X!');
  await using forgejo = await startFakeForgejo({ path: '/forge' });
  const client = clientOf(forgejo);
  const job = forgejo.addJob(steps);
  await client.ping({});
  await forgejo.stop();
  // The first may still find a connection that was open, and that the server has cut.
  await failureOf(client.ping({}));
  expect(await failureOf(client.ping({}))).toMatch(/^Unavailable/);
  await forgejo.start();
  await client.ping({});
  expect(job.status()).toBe('waiting');
});

it('lives in the time of its clock', async () => {
  await using forgejo = await startFakeForgejo({ clock: shiftedClock(3_600_000) });
  const date = await new Promise<string | undefined>((resolve, reject) => {
    request(`${forgejo.url}/api/v1/version`, (answer) => {
      answer.resume();
      resolve(answer.headers.date);
    })
      .on('error', reject)
      .end();
  });
  expect(Date.parse(date ?? '') - Date.now()).toBeGreaterThan(3_500_000);
});
