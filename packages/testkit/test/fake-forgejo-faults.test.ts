import { expect, it } from 'vitest';
import { eventually, type Fault, startFakeForgejo, webPage } from '../src/index.ts';
import { clientOf, failureOf } from './runner-client.ts';

const job = `
  runs-on: linux
  steps: [{ run: echo one }]
`;
const row = (content: string) => ({ content, time: { seconds: 1n, nanos: 0 } });

async function openTask() {
  const forgejo = await startFakeForgejo();
  const { uuid, token } = forgejo.addRunner({ labels: ['linux'] });
  const added = forgejo.addJob(job);
  const client = clientOf(forgejo, { uuid, token });
  await client.fetchTask({});
  return { forgejo, client, job: added, [Symbol.asyncDispose]: () => forgejo[Symbol.asyncDispose]() };
}

it.each<[Fault, RegExp, number]>([
  [{ kind: 'answer', status: 502, body: 'bad gateway' }, /^Unavailable: HTTP 502/, 0],
  [webPage(), /^Unknown: (?:HTTP 200|unsupported content type|unexpected response content type)/i, 0],
  [{ kind: 'error', code: 'internal', message: 'database is locked' }, /^Internal: database is locked/, 0],
  [{ kind: 'reset', when: 'before' }, /^(?:Aborted|Unavailable|Unknown|Internal): /, 0],
  [{ kind: 'reset', when: 'after' }, /^(?:Aborted|Unavailable|Unknown|Internal): /, 1],
  [{ kind: 'half' }, /^(?:Aborted|Unavailable|Unknown|Internal|InvalidArgument): /, 1],
  [{ kind: 'altered', alter: () => '{"ackIndex":' }, /^InvalidArgument|^Internal/, 1],
])('answers one request with a fault, and the next one as it should: %o', async (fault, expected, rows) => {
  await using opened = await openTask();
  const { forgejo, client } = opened;
  forgejo.scenario.add({ on: 'UpdateLog', fault, after: 1 });
  const send = (texts: readonly string[]) => client.updateLog({ taskId: 1n, index: 0n, rows: texts.map(row) });
  await send([]);
  expect(await failureOf(send(['a']))).toMatch(expected);
  expect(opened.job.texts()).toHaveLength(rows);
  await send(['a']);
  expect(opened.job.texts()).toEqual(['a']);
  expect(forgejo.scenario.left()).toBe(0);
  expect(forgejo.record.all.map(({ fault }) => fault).filter(Boolean)).toEqual([fault.kind]);
});

it('does the work late, after the next request was answered', async () => {
  await using opened = await openTask();
  const { forgejo, client } = opened;
  forgejo.scenario.add({ on: 'UpdateLog', fault: { kind: 'overtaken' } });
  const send = (rows: readonly string[]) => client.updateLog({ taskId: 1n, index: 0n, rows: rows.map(row) });
  await failureOf(send(['a']));
  await send(['a', 'b']);
  await eventually(() => opened.job.timeline().filter(({ kind }) => kind === 'log').length === 2);
  const requests = opened.job.timeline().flatMap((event) => (event.kind === 'log' ? [event.rows] : []));
  expect([requests, opened.job.texts()]).toEqual([
    [2, 1],
    ['a', 'b'],
  ]);
});

it('does the work twice, late, or not at all while a client waits', async () => {
  await using opened = await openTask();
  const { forgejo, client } = opened;
  forgejo.scenario.add({ fault: { kind: 'twice' } });
  forgejo.scenario.add({ fault: { kind: 'slow', ms: 30, when: 'before' } });
  forgejo.scenario.add({ fault: { kind: 'hang', when: 'after' } });
  await client.updateLog({ taskId: 1n, index: 0n, rows: [row('a')] });
  const startedAt = performance.now();
  await client.updateLog({ taskId: 1n, index: 1n, rows: [row('b')] });
  expect(performance.now() - startedAt).toBeGreaterThan(25);
  const hanging = client.updateLog({ taskId: 1n, index: 2n, rows: [row('c')] }, { timeoutMs: 100 });
  expect(await failureOf(hanging)).toMatch(/^DeadlineExceeded/);
  expect(opened.job.texts()).toEqual(['a', 'b', 'c']);
  expect(forgejo.record.count('UpdateLog')).toBe(3);
});

it('asks for a fault with each request, for chaos, until it is to be good again', async () => {
  await using opened = await openTask();
  const { forgejo, client } = opened;
  forgejo.scenario.choose(({ procedure }) => (procedure === 'Ping' ? webPage(503) : undefined));
  expect(await failureOf(client.ping({}))).toMatch(/503/);
  await client.updateTask({ state: { id: 1n } });
  forgejo.scenario.clear();
  await client.ping({});
});
