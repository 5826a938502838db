import { expect, it, test } from 'vitest';
import { UserError } from '../user-error.ts';
import type { Workflow } from './model.ts';
import { parseWorkflow } from './parse-workflow.ts';

const job = 'on: push\njobs:\n  build:\n    runs-on: docker\n    steps:\n';

function failure(text: string): readonly string[] {
  try {
    parseWorkflow(text, 'w.yml');
  } catch (error) {
    if (error instanceof UserError && error.code === 'FRR302') return error.message.split('\n');
    throw error;
  }
  throw new Error('it was accepted');
}

function notices(workflow: Workflow): readonly string[] {
  return [...workflow.notices, ...[...workflow.jobs.values()].flatMap((each) => each.notices)].map(
    ({ message, at }) => `${at.line}:${at.column}: ${message}`,
  );
}

it('reads a workflow with all of its keys', () => {
  const workflow = parseWorkflow(
    `name: CI
run-name: by \${{ github.actor }}
on:
  push: {branches: [main]}
  workflow_dispatch:
    inputs:
      level: {type: choice, options: [low, high], default: low, required: true}
env: {A: 1}
defaults: {run: {shell: bash, working-directory: src}}
jobs:
  test:
    name: Test
    needs: [lint]
    if: always()
    runs-on: [self-hosted, linux]
    env: {B: 2}
    outputs: {version: "\${{ steps.v.outputs.version }}"}
    strategy: {fail-fast: false, max-parallel: 2, matrix: {os: [a, b], include: "\${{ fromJSON('[]') }}"}}
    timeout-minutes: 5
    continue-on-error: true
    container: {image: node}
    services: {db: {image: postgres}}
    steps:
      - id: v
        name: Version
        run: echo
        shell: sh
        working-directory: x
        env: {C: 3}
        continue-on-error: \${{ true }}
        timeout-minutes: "3"
      - uses: actions/checkout@v4
        with: {depth: 0}
  lint:
    uses: ./.forgejo/workflows/lint.yml
    with: {a: b}
    secrets: inherit
`,
    'w.yml',
  );
  expect(workflow).toMatchObject({
    file: 'w.yml',
    name: 'CI',
    runName: { value: `by \${{ github.actor }}` },
    on: [{ event: 'push', at: { line: 4, column: 3 }, filters: { kind: 'mapping' } }, { event: 'workflow_dispatch' }],
    env: { kind: 'mapping' },
    defaults: { shell: { value: 'bash' }, workingDirectory: { value: 'src' } },
    notices: [],
  });
  expect(workflow.inputs.get('level')).toMatchObject({
    type: 'choice',
    required: true,
    options: ['low', 'high'],
    default: { value: 'low' },
  });
  expect(workflow.jobs.get('test')).toMatchObject({
    id: 'test',
    at: { line: 11, column: 3 },
    name: { value: 'Test' },
    needs: [{ id: 'lint', at: { line: 13, column: 13 } }],
    if: { value: 'always()' },
    runsOn: { kind: 'sequence' },
    strategy: { failFast: { value: false }, maxParallel: { value: 2 }, matrix: { kind: 'mapping' } },
    timeoutMinutes: { value: 5 },
    continueOnError: { value: true },
    container: { kind: 'mapping' },
    services: { kind: 'mapping' },
    steps: [
      {
        index: 0,
        id: 'v',
        name: { value: 'Version' },
        at: { line: 24, column: 9 },
        does: { kind: 'run', script: { value: 'echo' }, shell: { value: 'sh' }, workingDirectory: { value: 'x' } },
        timeoutMinutes: { value: '3' },
      },
      { index: 1, does: { kind: 'uses', uses: { value: 'actions/checkout@v4' }, with: { kind: 'mapping' } } },
    ],
  });
  expect(workflow.jobs.get('test')?.outputs.get('version')).toMatchObject({ at: { line: 17, column: 24 } });
  expect(workflow.jobs.get('lint')?.call).toMatchObject({
    uses: { value: './.forgejo/workflows/lint.yml' },
    secrets: 'inherit',
  });
});

test.each<[title: string, text: string, events: readonly string[]]>([
  ['a text', 'on: push', ['push']],
  ['a list', 'on: [push, pull_request]', ['push', 'pull_request']],
  ['a mapping', 'on:\n  push:\n  schedule: [{cron: "@daily"}]', ['push', 'schedule']],
])('reads "on" as %s', (_title, on, events) => {
  const workflow = parseWorkflow(`${on}\n${job.replace('on: push\n', '')}      - run: a\n`, 'w.yml');
  expect(workflow.on.map(({ event }) => event)).toEqual(events);
});

test.each<[title: string, runsOn: string]>([
  ['a text', 'docker'],
  ['a list', '[a, b]'],
  ['an expression', '${{ matrix.os }}'],
  ['a group', '{group: g, labels: [a]}'],
  ['a group with one label', '{group: g, labels: a}'],
])('takes "runs-on" as %s', (_title, runsOn) => {
  const workflow = parseWorkflow(
    job.replace('runs-on: docker', `runs-on: ${runsOn}`).concat('      - run: a\n'),
    'w.yml',
  );
  expect(workflow.jobs.get('build')?.runsOn).toBeDefined();
});

test.each<[title: string, text: string, problems: readonly string[]]>([
  ['a list', '[]', ['w.yml:1:1: expected a mapping with "on" and "jobs", found a list']],
  ['nothing', '', ['w.yml:1:1: expected a mapping with "on" and "jobs", found nothing']],
  [
    'no jobs and no event',
    'name: x\n',
    ['w.yml:1:1: expected at least one job in "jobs", found none', 'w.yml:1:1: expected an event in "on", found none'],
  ],
  ['empty jobs', 'on: push\njobs: {}\n', ['w.yml:2:1: expected at least one job in "jobs", found none']],
  ['jobs as a list', 'on: push\njobs: [a]\n', ['w.yml:2:7: expected a mapping for "jobs", found a list']],
  ['a job as a text', 'on: push\njobs: {a: b}\n', ['w.yml:2:11: expected a mapping for the job "a", found "b"']],
  [
    'a job with nothing to do',
    'on: push\njobs: {a: {name: b}}\n',
    [
      'w.yml:2:8: expected "runs-on" in the job "a", found none',
      'w.yml:2:8: expected "steps" or "uses" in the job "a", found neither',
    ],
  ],
  [
    'an odd job id',
    job.replace('build', '"1 x"').concat('      - run: a\n'),
    [
      'w.yml:3:3: expected an id of at most 100 letters, digits, "-" and "_" that starts with a letter or "_", found "1 x"',
    ],
  ],
  [
    'steps as a mapping',
    'on: push\njobs: {a: {runs-on: b, steps: {}}}\n',
    ['w.yml:2:31: expected a list for "steps", found a mapping'],
  ],
  [
    'empty steps',
    'on: push\njobs: {a: {runs-on: b, steps: }}\n',
    ['w.yml:2:31: expected a list for "steps", found nothing'],
  ],
  ['a step as a text', `${job}      - a\n`, ['w.yml:6:9: expected a mapping for a step, found "a"']],
  [
    'a step that does nothing',
    `${job}      - name: a\n`,
    ['w.yml:6:9: expected "run" or "uses" in a step, found neither'],
  ],
  [
    'a step that does two things',
    `${job}      - run: a\n        uses: b\n`,
    ['w.yml:7:9: expected either "run" or "uses" in a step, found both'],
  ],
  ['a script as a list', `${job}      - run: [a]\n`, ['w.yml:6:14: expected a text for "run", found a list']],
  [
    'an odd step id',
    `${job}      - {id: a b, run: c}\n`,
    [
      'w.yml:6:14: expected an id of at most 100 letters, digits, "-" and "_" that starts with a letter or "_", found "a b"',
    ],
  ],
  [
    'step ids that differ in case only',
    `${job}      - {id: a, run: c}\n      - {id: A, run: c}\n`,
    ['w.yml:7:9: expected each step id once, found "A" again; the step in line 6 has it'],
  ],
  ['env as a list', `${job}      - {run: a, env: [b]}\n`, ['w.yml:6:23: expected a mapping for "env", found a list']],
  ['a list in env', `${job}      - {run: a, env: {B: [c]}}\n`, ['w.yml:6:27: expected a text for "B", found a list']],
  [
    'a timeout in words',
    `${job}      - {run: a, timeout-minutes: soon}\n`,
    ['w.yml:6:35: expected a number or an expression for "timeout-minutes", found "soon"'],
  ],
  [
    'an empty timeout',
    `${job}      - {run: a, timeout-minutes: ""}\n`,
    ['w.yml:6:35: expected a number or an expression for "timeout-minutes", found ""'],
  ],
  [
    'a choice for continue-on-error',
    `${job}      - {run: a, continue-on-error: maybe}\n`,
    ['w.yml:6:37: expected true, false or an expression for "continue-on-error", found "maybe"'],
  ],
  [
    'a matrix as a list',
    'on: push\njobs: {a: {runs-on: b, steps: [], strategy: {matrix: [a]}}}\n',
    ['w.yml:2:54: expected a mapping for "matrix", found a list'],
  ],
  [
    'a vector as a text',
    'on: push\njobs: {a: {runs-on: b, steps: [], strategy: {matrix: {v: a}}}}\n',
    ['w.yml:2:58: expected a list for "v", found "a"'],
  ],
  [
    'labels in a mapping',
    'on: push\njobs: {a: {runs-on: [{}], steps: []}}\n',
    ['w.yml:2:22: expected a label, found a mapping'],
  ],
  [
    'no label',
    'on: push\njobs: {a: {runs-on: [], steps: []}}\n',
    ['w.yml:2:21: expected at least one label for "runs-on", found a list'],
  ],
  [
    'needs as a mapping',
    'on: push\njobs: {a: {needs: {}, runs-on: b, steps: []}}\n',
    ['w.yml:2:19: expected the id of a job for "needs", found a mapping'],
  ],
  [
    'a container as a list',
    'on: push\njobs: {a: {container: [], runs-on: b, steps: []}}\n',
    ['w.yml:2:23: expected an image or a mapping for "container", found a list'],
  ],
  [
    'steps in a call',
    'on: push\njobs: {a: {uses: ./b, steps: []}}\n',
    ['w.yml:2:23: expected no "steps" in a job that calls a workflow, found one'],
  ],
  [
    'odd secrets in a call',
    'on: push\njobs: {a: {uses: ./b, secrets: all}}\n',
    ['w.yml:2:32: expected "inherit" or a mapping for "secrets", found "all"'],
  ],
  [
    'an unknown input type',
    'on: {workflow_dispatch: {inputs: {x: {type: bool}}}}\njobs: {a: {runs-on: b, steps: []}}\n',
    ['w.yml:1:45: expected one of string, boolean, number, choice, environment, found "bool"'],
  ],
])('refuses %s', (_title, text, problems) => {
  expect(failure(text)).toEqual(problems);
});

test.each<[title: string, text: string, found: readonly string[]]>([
  [
    'keys that change nothing',
    `permissions: {}\nconcurrency: x\n${job.replace('    steps', '    permissions: read-all\n    environment: prod\n    concurrency: y\n    steps')}      - run: a\n`,
    [
      '1:1: "permissions" changes nothing on this runner: the server decides what the token of a job may do',
      '2:1: "concurrency" changes nothing on this runner: the server decides which runs may overlap',
      '7:5: "permissions" changes nothing on this runner: the server decides what the token of a job may do',
      '8:5: "environment" changes nothing on this runner: there are no deployment environments',
      '9:5: "concurrency" changes nothing on this runner: the server decides which runs may overlap',
    ],
  ],
  [
    'a misspelt key',
    `${job.replace('    steps', '    time-out-minutes: 3\n    steps')}      - run: a\n        enviroment: b\n        workdir: c\n        evn: {}\n`,
    [
      '5:5: "time-out-minutes" is not known to this runner and changes nothing; did you mean "timeout-minutes"?',
      '8:9: "enviroment" is not known to this runner and changes nothing',
      '9:9: "workdir" is not known to this runner and changes nothing',
      '10:9: "evn" is not known to this runner and changes nothing; did you mean "env"?',
    ],
  ],
  ["the server's own marks and anchors", `x-anchors: {}\nincomplete_matrix: true\n${job}      - run: a\n`, []],
  [
    'keys of the other kind of step',
    `${job}      - {run: a, with: {}}\n      - {uses: a, shell: sh}\n`,
    [
      '6:18: "with" belongs to a step with "uses" and changes nothing here',
      '7:19: "shell" belongs to a step with "run" and changes nothing here',
    ],
  ],
  [
    'a job key beside a call',
    'on: push\njobs: {a: {uses: ./b, env: {A: 1}}}\n',
    ['2:23: "env" changes nothing in a job that calls a workflow'],
  ],
])('remarks on %s', (_title, text, found) => {
  expect(notices(parseWorkflow(text, 'w.yml'))).toEqual(found);
});

it('keeps anchors and merge keys working', () => {
  const workflow = parseWorkflow(`x-env: &env {A: 1}\n${job}      - {run: a, env: {<<: *env, B: 2}}\n`, 'w.yml');
  expect(workflow.jobs.get('build')?.steps[0]?.env).toMatchObject({ entries: [{ key: 'B' }, { key: 'A' }] });
});

it('reads what a workflow declares for those who call it', () => {
  const workflow = parseWorkflow(
    `on:
  workflow_dispatch: { inputs: { level: { type: choice, options: [a] } } }
  workflow_call:
    inputs:
      level: { type: number, required: "true", default: 2, description: x }
      flag: { type: boolean, deprecationMessage: x }
    secrets: { token: { required: true, description: x }, other: }
    outputs: { v: { value: "\${{ jobs.a.outputs.v }}", description: x } }
jobs: { a: { uses: ./b.yml } }
`,
    'w.yml',
  );
  expect(workflow.callable).toMatchObject({ at: { line: 3, column: 3 } });
  expect([...(workflow.callable?.inputs ?? [])]).toMatchObject([
    ['level', { type: 'number', required: true, default: { value: 2 }, at: { line: 5, column: 7 } }],
    ['flag', { type: 'boolean', required: false }],
  ]);
  expect([...(workflow.callable?.secrets ?? [])]).toMatchObject([
    ['token', { required: true, at: { line: 7, column: 16 } }],
    ['other', { required: false }],
  ]);
  expect([...(workflow.callable?.outputs ?? [])]).toMatchObject([
    ['v', { value: { value: '${{ jobs.a.outputs.v }}' } }],
  ]);
  expect(workflow.inputs.get('level')?.type).toBe('choice');
  expect(workflow.inputs.get('flag')?.type).toBe('boolean');
});

it.each(['on: workflow_call', 'on: [push, workflow_call]', 'on: { workflow_call: }'])('may be called: %s', (on) => {
  const { callable } = parseWorkflow(`${on}\njobs: { a: { uses: ./b.yml } }\n`, 'w.yml');
  expect(callable).toMatchObject({ inputs: new Map(), secrets: new Map(), outputs: new Map() });
});

it('may not be called without workflow_call', () => {
  expect(parseWorkflow('on: [push]\njobs: { a: { uses: ./b.yml } }\n', 'w.yml').callable).toBeUndefined();
});

it('takes inputs of a type that a call does not have as strings, and says so', () => {
  const workflow = parseWorkflow(
    'on: { workflow_call: { inputs: { a: { type: choice }, b: {} } } }\njobs: { a: { uses: ./b.yml } }\n',
    'w.yml',
  );
  expect([...(workflow.callable?.inputs.values() ?? [])].map(({ type }) => type)).toEqual(['string', 'string']);
  expect(notices(workflow)).toEqual([
    expect.stringMatching(/^1:34: .*"a".*found "choice"; it is taken as a string$/),
    expect.stringMatching(/^1:55: .*"b".*found none; it is taken as a string$/),
  ]);
});
