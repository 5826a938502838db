import { mkdir, symlink } from 'node:fs/promises';
import { openTempFolder } from '@forgejo-runner/testkit';
import { expect, it } from 'vitest';
import { ownWorkflows } from '../../src/local/own-workflows.ts';
import { runYaml } from '../run-yaml.ts';
import { callable, errorsOf, runCalls } from './run-calls.ts';

const call = (uses: string, keys = '') => `on: push\njobs:\n  call:\n    uses: ${uses}\n${keys}`;
const declared = `    inputs:
      flag: { type: boolean, required: true }
      count: { type: number, default: 1 }
    secrets:
      token: { required: true }`;

it.each<[title: string, uses: string, keys: string, called: string, problems: readonly (string | RegExp)[]]>([
  [
    'a workflow that is not there',
    './.forgejo/workflows/none.yml',
    '',
    '',
    ['w.yml:4:11: expected a workflow at ".forgejo/workflows/none.yml", found none'],
  ],
  [
    'a workflow that is not to be called',
    './called.yml',
    '',
    'on:\n  push:\njobs: { a: { runs-on: here, steps: [{ run: echo }] } }\n',
    [
      'w.yml:4:11: expected a workflow that can be called, found "called.yml"',
      'called.yml:2:3: expected "workflow_call" in "on", found none',
    ],
  ],
  [
    'a text that is no YAML',
    './called.yml',
    '',
    'on: [workflow_call\njobs: {}\n',
    [
      'w.yml:4:11: expected a workflow that can be called, found one that is wrong: "called.yml"',
      /^called\.yml:2:\d+: /,
    ],
  ],
  [
    'a workflow that is malformed, with all that is wrong in it',
    './called.yml',
    '',
    'on: workflow_call\njobs:\n  a: { runs-on: here, stepps: [] }\n  b: { runs-on: here, needs: c, steps: [] }\n',
    [/^w\.yml:4:11: /, /^called\.yml:3:3: expected "steps"/, /^called\.yml:3:23: .*stepps/, /^called\.yml:4:30: .*"c"/],
  ],
  [
    'inputs and secrets that lack, do not fit or are not known',
    './called.yml',
    '    with: { cuont: 1, count: many }\n    secrets: { Tokens: x }\n',
    callable('echo never', declared),
    [
      'w.yml:5:13: expected one of the inputs "flag", "count" of the workflow that is called, found "cuont"; did you mean "count"?',
      'w.yml:5:30: expected the input "count" to be a number, found "many"',
      'called.yml:5:7: the input "count" is declared here with the type number',
      'w.yml:4:11: expected the input "flag" for the workflow that is called, found none',
      'called.yml:4:7: the input "flag" is required here',
      'w.yml:6:16: expected one of the secrets "token" of the workflow that is called, found "Tokens"; did you mean "token"?',
      'w.yml:4:11: expected the secret "token" for the workflow that is called, found none',
      'called.yml:7:7: the secret "token" is required here',
    ],
  ],
  [
    'a value of the wrong kind from an expression',
    './called.yml',
    '    with: { flag: "${{ fromJSON(\'[1]\') }}", count: "${{ true }}" }\n    secrets: { token: x }\n',
    callable('echo never', declared),
    [
      'w.yml:5:19: expected the input "flag" to be true or false, found a list',
      'called.yml:4:7: the input "flag" is declared here with the type boolean',
      'w.yml:5:52: expected the input "count" to be a number, found "true"',
      'called.yml:5:7: the input "count" is declared here with the type number',
    ],
  ],
  [
    'a default of the wrong type',
    './called.yml',
    '',
    callable('echo never', '    inputs: { n: { type: number, default: "x${{ vars.X }}" } }'),
    [
      'called.yml:3:43: expected the input "n" to be a number, found "x"',
      'called.yml:3:15: the input "n" is declared here with the type number',
    ],
  ],
  [
    'an input that shows a secret',
    './called.yml',
    '    with: { text: "${{ secrets.S }}" }\n',
    callable('echo never', '    inputs: { text: { type: string } }'),
    [/^w\.yml:5:\d+: expression "secrets\.S": .*secrets/],
  ],
  ['a path out of the repository', './../x.yml', '', '', [/^w\.yml:4:11: expected a path below the root/]],
  [
    'a workflow of another repository where there is no store',
    'o/r/.forgejo/workflows/x.yml@v1',
    '',
    '',
    [/expected a runner that reads workflows of other repositories for "o\/r\/\.forgejo\/workflows\/x\.yml@v1"/],
  ],
  [
    'a call of itself',
    './called.yml',
    '',
    'on: workflow_call\njobs: { again: { uses: ./called.yml } }\n',
    ['called.yml:2:24: expected workflows that do not call themselves, found "called.yml" calling "called.yml"'],
  ],
])('refuses %s', async (_title, uses, keys, called, problems) => {
  const run = await runCalls(call(uses, keys), called === '' ? {} : { 'called.yml': called });
  expect(run.results.get('call')?.result).toBe('failure');
  expect(run.backend.log.filter(({ method }) => method === 'createEnvironment')).toEqual([]);
  const found = errorsOf(run).filter((row) => !row.startsWith('Next: '));
  expect(found.map((row, index) => told(row, problems[index]))).toEqual(problems);
});

/** The problem where the row tells it, else the row. */
function told(row: string, problem: string | RegExp | undefined): string | RegExp {
  return problem instanceof RegExp && problem.test(row) ? problem : row;
}

/** Workflows `1.yml` to `<count>.yml`, each of which calls the next. */
function chain(count: number): Record<string, string> {
  const files: Record<string, string> = { [`${count}.yml`]: callable('echo end') };
  for (let index = 1; index < count; index += 1)
    files[`${index}.yml`] = `on: workflow_call\njobs: { next: { uses: ./${index + 1}.yml } }\n`;
  return files;
}

it('goes ten levels deep and no further', async () => {
  const deep = await runCalls(call('./1.yml'), chain(9));
  expect(deep.results.get('call')?.result).toBe('success');
  expect(deep.jobs.map(({ name }) => name)).toEqual([`call / ${'next / '.repeat(8)}inner`]);
  const deeper = await runCalls(call('./1.yml'), chain(10));
  expect(deeper.results.get('call')?.result).toBe('failure');
  expect(deeper.jobs[0]?.text()).toContain('9.yml:2:23: expected at most 10 levels of workflows, found more');
});

it('finds a circle of several workflows', async () => {
  const run = await runCalls(call('./a.yml'), {
    'a.yml': 'on: workflow_call\njobs: { b: { uses: ./b.yml } }\n',
    'b.yml': 'on: workflow_call\njobs: { a: { uses: ./a.yml } }\n',
  });
  expect(run.jobs[0]?.text()).toContain('found "a.yml" calling "b.yml" calling "a.yml"');
});

it('ends a run that calls too many workflows, or too often', async () => {
  const files = Object.fromEntries(Array.from({ length: 51 }, (_, index) => [`${index}.yml`, callable('true')]));
  const calls = Object.keys(files).map((name) => `  call-${name.replace('.yml', '')}: { uses: ./${name} }\n`);
  const many = await runCalls(`on: push\njobs:\n${calls.join('')}`, files, { isDryRun: true });
  const failed = many.jobs.filter(({ result }) => result === 'failure');
  expect(failed.map((job) => job.text())).toEqual([
    expect.stringContaining('expected at most 50 workflows to be called in a run, found more'),
  ]);

  const matrix = '{ strategy: { fail-fast: false, matrix: { a: [1, 2, 3, 4, 5, 6], b: [1, 2, 3, 4, 5, 6] } }, uses';
  const often = await runCalls(
    `on: push\njobs: { call: ${matrix}: ./1.yml } }\n`,
    { '1.yml': `on: workflow_call\njobs: { next: ${matrix}: ./2.yml } }\n`, '2.yml': callable('true') },
    { isDryRun: true },
  );
  const refusals = often.jobs.filter((job) => job.text().includes('expected at most 1000 calls in a run, found more'));
  expect(refusals).toHaveLength(36 + 36 * 36 - 1000);
  expect(often.results.get('call')?.result).toBe('failure');
});

it('does not follow a link out of the folder, and reads files only', async () => {
  await using folder = await openTempFolder();
  await folder.write({ 'outside.yml': callable('echo never'), 'in/real.yml': callable('echo fine') });
  await symlink('../outside.yml', folder.join('in/out.yml'));
  await symlink('real.yml', folder.join('in/link.yml'));
  await mkdir(folder.join('in/folder.yml'));
  await folder.write({ 'in/large.yml': `${callable('true')}#${'x'.repeat(1024 * 1024)}` });
  const own = ownWorkflows({ directory: folder.join('in'), cwd: folder.path });
  const run = await runYaml(
    `on: push
jobs:
  out: { uses: ./out.yml }
  folder: { uses: ./folder.yml }
  large: { uses: ./large.yml }
  below: { uses: ./real.yml/x.yml }
  link: { uses: ./link.yml }
`,
    { workflows: { own } },
  );
  expect(run.job('link/inner').steps()).toEqual(['fine']);
  expect(errorsOf(run, 'out')).toContain(
    'expected a readable file at "in/out.yml", found a link that leads out of the folder',
  );
  expect(errorsOf(run, 'folder')).toContain('expected a readable file at "in/folder.yml", found something else');
  expect(errorsOf(run, 'large')).toContain(
    'expected a readable file at "in/large.yml", found one of more than 1048576 bytes',
  );
  expect(errorsOf(run, 'below')).toContain('w.yml:6:18: expected a workflow at "in/real.yml/x.yml", found none');
});

it('tells of thousands of wrong names in short, and soon', async () => {
  const names = Array.from({ length: 10_000 }, (_, index) => `n${index}`);
  const given = names.map((name) => `x${name}: 1`).join(', ');
  const inputs = names.map((name) => `${name}: {type: string}`).join(', ');
  const run = await runCalls(call('./called.yml', `    with: {${given}}\n`), {
    'called.yml': callable('echo never', `    inputs: {${inputs}}`),
  });
  const found = errorsOf(run);
  expect(found[0]).toMatch(/"n19" or 9980 more of the workflow that is called, found "xn0"$/);
  expect(found.at(-1)).toBe('and 51 more');
  expect(found).toHaveLength(51);
});
