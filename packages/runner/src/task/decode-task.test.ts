import {
  anything,
  assert,
  asyncProperty,
  constantFrom,
  dictionary,
  oneof,
  record,
  string,
  uint8Array,
} from 'fast-check';
import { expect, it } from 'vitest';
import { UserError } from '../user-error.ts';
import { decodeTask } from './decode-task.ts';
import type { TaskMessage } from './task-message.ts';

const oneJob = `
name: CI
on: [push]
jobs:
  build:
    runs-on: [debian]
    steps:
      - run: echo hi
`;

function message(more: Partial<TaskMessage> & { readonly yaml?: string } = {}): TaskMessage {
  const { yaml = oneJob, ...rest } = more;
  return {
    id: 12n,
    workflowPayload: new TextEncoder().encode(yaml),
    context: { event_name: 'push', repository: 'o/r', event: {} },
    secrets: {},
    vars: {},
    needs: {},
    ...rest,
  };
}

async function problemsOf(task: TaskMessage): Promise<readonly string[]> {
  try {
    await decodeTask(task);
    return [];
  } catch (error) {
    if (error instanceof UserError) return [error.code, ...error.message.split('\n')];
    throw error;
  }
}

it('reads the job, its contexts, secrets and variables', async () => {
  const { task } = await decodeTask(
    message({
      context: { event_name: 'push', repository: 'o/r', run_attempt: '3', event: { commits: [{ id: 'a' }] } },
      secrets: { TOKEN: 's' },
      vars: { __proto__x: 'y' },
    }),
  );
  expect([task.id, task.attempt, task.job.id, task.workflow.name]).toEqual(['12', 3, 'build', 'CI']);
  expect(task.github.get('event')).toEqual(new Map([['commits', [new Map([['id', 'a']])]]]));
  expect([...task.secrets, ...task.vars]).toEqual([
    ['TOKEN', 's'],
    ['__proto__x', 'y'],
  ]);
  expect([task.matrix.size, task.needs.size, task.before]).toEqual([0, 0, []]);
});

it('keeps what the server says to the runner from the job', async () => {
  const { task, facts } = await decodeTask(
    message({
      context: {
        actor: 'a',
        gitea_runtime_token: 'old',
        forgejo_runtime_token: 'new',
        gitea_default_actions_url: 'https://code.example',
        forgejo_server_version: '15.0.0',
        forgejo_actions_id_token_request_url: 'https://id.example',
        forgejo_actions_id_token_request_token: 'id-token',
      },
    }),
  );
  expect([...task.github.keys()]).toEqual(['actor']);
  expect(facts).toEqual({
    serverVersion: '15.0.0',
    defaultActionsUrl: 'https://code.example',
    runtimeToken: 'new',
    idTokenRequest: { url: 'https://id.example', token: 'id-token' },
  });
});

it('has no facts of a server that tells none', async () => {
  const { facts } = await decodeTask(message({ context: { forgejo_actions_id_token_request_url: '', gitea_x: 1 } }));
  expect(facts).toEqual({});
});

it('reads the one combination of a matrix', async () => {
  const yaml = oneJob.replace(
    '    steps:',
    '    strategy:\n      fail-fast: false\n      matrix: { os: [a], n: [1] }\n    steps:',
  );
  const { task } = await decodeTask(message({ yaml }));
  expect(task.matrix).toEqual(
    new Map<string, unknown>([
      ['os', 'a'],
      ['n', 1],
    ]),
  );
  expect(task.strategy.failFast).toBe(false);
});

it('knows how the jobs ended that it waited for', async () => {
  const needs = {
    a: { outputs: { x: '1' }, result: 1 },
    b: { outputs: {}, result: 4 },
    c: { outputs: {}, result: 0 },
  };
  const { task } = await decodeTask(message({ needs }));
  expect([...task.needs].map(([id, { result, outputs }]) => [id, result, Object.fromEntries(outputs)])).toEqual([
    ['a', 'success', { x: '1' }],
    ['b', 'skipped', {}],
    ['c', 'failure', {}],
  ]);
  expect(task.before).toEqual(['success', 'skipped', 'failure']);
});

it.each(['workflow_dispatch', 'workflow_call'])(
  'gives inputs of %s the types that the workflow declares',
  async (name) => {
    const inputs =
      '{ yes: { type: boolean }, n: { type: number, default: 3 }, text: { default: x }, odd: { type: number } }';
    const yaml = oneJob.replace('on: [push]', `on: { ${name}: { inputs: ${inputs} } }`);
    const context = { event_name: name, event: { inputs: { yes: 'true', odd: 'many', more: 'm' } } };
    const { task } = await decodeTask(message({ yaml, context }));
    expect(Object.fromEntries(task.inputs)).toEqual({ yes: true, n: 3, text: 'x', odd: 'many', more: 'm' });
  },
);

it('needs no "on": the server has decided what starts the job', async () => {
  const yaml = oneJob.replace('on: [push]\n', '');
  const { task } = await decodeTask(message({ yaml, context: { event_name: 'schedule' } }));
  expect(task.workflow.on.map(({ event }) => event)).toEqual(['schedule']);
});

it.each<[string, Partial<TaskMessage> & { readonly yaml?: string }, readonly string[]]>([
  ['no payload', { workflowPayload: new Uint8Array() }, ['FRR707', 'found none']],
  ['bytes', { workflowPayload: new Uint8Array([255, 254]) }, ['FRR707', 'not UTF-8']],
  ['two jobs', { yaml: `${oneJob}  more:\n    runs-on: x\n    steps: [{ run: x }]\n` }, ['FRR707', 'one with 2 jobs']],
  ['no workflow', { yaml: 'hello' }, ['FRR302', 'expected a mapping']],
  ['broken YAML', { yaml: 'jobs: [' }, ['FRR301', 'workflow.yml:1:']],
  [
    'many combinations',
    { yaml: oneJob.replace('    steps:', '    strategy: { matrix: { a: [1, 2] } }\n    steps:') },
    ['FRR503', 'found 2'],
  ],
  [
    'an alias bomb',
    { yaml: `a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [${'*a,'.repeat(300)}]\nc: [${'*b,'.repeat(300)}]\n${oneJob}` },
    ['FRR303', 'expected at most'],
  ],
])('refuses %s', async (_, more, [code, text]) => {
  const problems = await problemsOf(message(more));
  expect(problems[0]).toBe(code);
  expect(problems.join('\n')).toContain(text);
});

it('refuses a context that nests without end', async () => {
  let event: unknown = {};
  for (let depth = 0; depth < 500; depth += 1) event = { event };
  expect(await problemsOf(message({ context: { event } }))).toEqual([
    'FRR707',
    expect.stringContaining('levels of nesting'),
  ]);
});

it('answers anything with a task or a reason', async () => {
  const keys = constantFrom('event', 'event_name', 'run_attempt', 'gitea_runtime_token', '__proto__', 'inputs');
  const wild = record({
    id: constantFrom(0n, 2n ** 63n - 1n),
    workflowPayload: oneof(uint8Array(), constantFrom(new TextEncoder().encode(oneJob))),
    context: dictionary(keys, anything()),
    secrets: dictionary(string(), string()),
    vars: dictionary(string(), string()),
    needs: dictionary(string(), record({ outputs: dictionary(string(), string()), result: constantFrom(0, 1, 9) })),
  });
  await assert(asyncProperty(wild, async (task) => void (await problemsOf(task))));
});
