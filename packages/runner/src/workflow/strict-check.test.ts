import { assert, array, constantFrom, oneof, property, string } from 'fast-check';
import { expect, it, test } from 'vitest';
import { availabilityAt, type ExpressionPlace } from '../contexts/availability.ts';
import { problemText } from '../user-error.ts';
import { strictCheckAction, strictCheckWorkflow } from './strict-check.ts';

function checkWorkflow(text: string): string[] {
  return strictCheckWorkflow(text, 'w').map(problemText);
}

function checkAction(text: string): string[] {
  return strictCheckAction(text, 'a').map(problemText);
}

const head = 'on: push\njobs:\n  build:\n    runs-on: docker\n';

/** A job with these lines beside `runs-on`, from line 5 on. */
function job(...lines: readonly string[]): string {
  return `${head}${lines.map((line) => `    ${line}\n`).join('')}${lines.some((line) => line.startsWith('steps')) ? '' : '    steps: [{run: a}]\n'}`;
}

it('finds nothing wrong with a workflow that uses all that it may', () => {
  expect(
    checkWorkflow(`name: CI
run-name: \${{ github.actor }} \${{ inputs.x }}
on:
  push:
  workflow_call:
    inputs: {x: {type: string, default: "\${{ vars.X }}"}}
    outputs: {y: {value: "\${{ jobs.build.outputs.o }}"}}
permissions: read-all
concurrency: {group: "\${{ forgejo.ref }}"}
env: {T: "\${{ secrets.T }}"}
x-anchors: {}
jobs:
  lint: {uses: ./a.yml, with: {a: "\${{ matrix.a }}"}, secrets: {b: "\${{ secrets.b }}"}, strategy: {matrix: {a: [1]}}}
  build:
    needs: lint
    if: always() && forge.ref == 'x'
    name: b \${{ matrix.os }}
    runs-on: \${{ matrix.os }}
    environment: {name: "\${{ vars.E }}"}
    strategy: {matrix: {os: [a], include: "\${{ fromJSON(needs.lint.outputs.m) }}", "\${{ insert }}": "\${{ fromJSON('{}') }}"}, fail-fast: "\${{ vars.F == 1 }}"}
    env: {A: "\${{ gitea.sha }}"}
    defaults: {run: {shell: bash, working-directory: "\${{ env.A }}"}}
    outputs: {o: "\${{ steps.s.outputs.v }}"}
    timeout-minutes: \${{ inputs.x == '' && 3 || 5 }}
    container: {image: "\${{ matrix.os }}", credentials: {username: "\${{ env.U }}", password: "\${{ secrets.P }}"}, env: {R: "\${{ runner.os }}"}}
    services: {db: {image: postgres, env: {R: "\${{ job.status }}"}, ports: [1]}}
    steps:
      - {id: s, if: "failure() || hashFiles('a') != ''", run: "\${{ hashFiles('a') }}"}
      - {uses: "a/b@\${{ github.sha }}", with: {a: "\${{ steps.s.outcome }}"}, env: {B: "\${{ secrets.C }}"}, name: "\${{ runner.os }}"}
`),
  ).toEqual([]);
});

test.each<[title: string, text: string, problems: string[]]>([
  ['wrong YAML', 'on: push\n\tjobs: 1', ['w:2:1: tabs are not allowed as indentation']],
  [
    'unknown keys',
    job('time-out: 3', 'steps: [{rum: a}]'),
    [
      'w:5:5: expected a known key, found "time-out"',
      'w:6:13: expected "run" or "uses" in a step, found neither',
      'w:6:14: expected a known key, found "rum"; did you mean "run"?',
    ],
  ],
  [
    'an unknown key of a container',
    job('container: {image: a, volume: [b]}'),
    ['w:5:27: expected a known key, found "volume"; did you mean "volumes"?'],
  ],
  [
    'a container without an image',
    job('services: {db: {ports: [1]}}'),
    ['w:5:20: expected "image" for a container, found none'],
  ],
  [
    'an unknown key of credentials',
    job('container: {image: a, credentials: {user: b}}'),
    ['w:5:41: expected a known key, found "user"'],
  ],
  ["a key of one's own inside of a job", job('x-mine: 1'), ['w:5:5: expected a known key, found "x-mine"']],
  ['what only the server may add', `incomplete_matrix: 1\n${job('name: a')}`, ['w:1:1: expected a known key']],
  [
    'a syntax error',
    job('name: ${{ github.( }}'),
    ['w:5:22: expression "github.(": expected a name or "*" after ".", found "("'],
  ],
  [
    'an expression that is not closed',
    job('name: ${{ github'),
    ['w:5:11: expression "github": expected a closing "}}", found the end'],
  ],
  [
    'an unknown context',
    job('name: ${{ githup.ref }}'),
    [
      'w:5:15: expression "githup.ref": expected one of the contexts that can be used here (forge, forgejo, gitea, github, inputs, matrix, needs, strategy, vars), found "githup"; did you mean "github"?',
    ],
  ],
  [
    'a context in the wrong place',
    job("if: matrix.a == ''"),
    [
      'w:5:9: expression "matrix.a == \'\'": expected one of the contexts that can be used here (forge, forgejo, gitea, github, inputs, needs, secrets, vars), found "matrix"',
    ],
  ],
  [
    'an unknown function',
    job("name: ${{ startWith('a', 'b') }}"),
    [
      'w:5:15: expression "startWith(\'a\', \'b\')": expected a function that can be used here, found "startWith"; did you mean "startsWith"?',
    ],
  ],
  [
    'a status function outside of if',
    job('name: ${{ always() }}'),
    ['w:5:15: expression "always()": expected a function that can be used here, found "always"'],
  ],
  [
    'hashFiles in a job',
    job("name: ${{ hashFiles('a') }}"),
    ['w:5:15: expression "hashFiles(\'a\')": expected a function that can be used here, found "hashFiles"'],
  ],
  [
    'too many arguments',
    job("if: success(1) || contains('a')"),
    ['w:5:23: expression "success(1) || contains(\'a\')": expected 2 arguments for contains(), found 1'],
  ],
  [
    'arguments of a status function',
    job('if: success(1)'),
    ['w:5:9: expression "success(1)": expected 0 arguments for success(), found 1'],
  ],
  [
    'hashFiles without a pattern',
    job('steps: [{run: "${{ hashFiles() }}"}]'),
    ['w:5:24: expression "hashFiles()": expected at least 1 argument for hashFiles(), found 0'],
  ],
  [
    'several problems of one expression',
    job('name: ${{ a.b || c() }}'),
    ['w:5:15: expression "a.b || c()": expected one of', 'w:5:22: expression "a.b || c()": expected a function'],
  ],
  [
    'text beside the expression of an if',
    job("if: ${{ github.ref }} == 'x'"),
    ['w:5:9: expected "${{ }}" around the whole condition, found text beside it, which makes it true always'],
  ],
  ['a key with an expression', job('env: {"${{ nope.x }}": 1}'), ['w:5:15: expression "nope.x": expected one of']],
  [
    'a step that uses what only outputs of workflows have',
    job('steps: [{if: "jobs.a", run: b}]'),
    ['w:5:19: expression "jobs.a": expected one of'],
  ],
  ['concurrency', job('concurrency: ${{ env.A }}'), ['w:5:22: expression "env.A": expected one of']],
  [
    'needs of an unknown job',
    job('needs: [a]'),
    ['w:5:13: expected a job of this workflow in "needs" of "build", found "a"'],
  ],
  [
    'a cycle',
    job('needs: build'),
    ['w:5:12: expected jobs that do not wait for themselves, found the cycle "build" → "build"'],
  ],
  [
    'with beside run',
    job('steps: [{run: a, with: {}}]'),
    ['w:5:22: "with" belongs to a step with "uses" and changes nothing here'],
  ],
  [
    'env beside a call',
    'on: push\njobs: {a: {uses: ./b.yml, env: {}}}\n',
    ['w:2:27: expected no "env" in a job that calls a workflow, found one'],
  ],
  [
    'an output of a call',
    'on: {workflow_call: {outputs: {a: {value: "${{ steps.a }}"}}}}\njobs: {a: {uses: ./b.yml}}\n',
    ['w:1:48: expression "steps.a": expected one of'],
  ],
  [
    'an output of a job that is not there',
    'on: {workflow_call: {outputs: {x: {value: "${{ jobs.bulid.outputs.x || jobs.BUILD.result || jobs.*.result }}"}}}}\njobs: {build: {uses: ./b.yml}}\n',
    ['w:1:53: expected a job of this workflow after "jobs", found "bulid"; did you mean "build"?'],
  ],
  [
    'a call that names no workflow, and one by an expression',
    'on: push\njobs: {a: {uses: ./b}, b: {uses: "${{ github.repository }}/b@main"}, c: {uses: o/r/x.yml}}\n',
    [
      'w:2:18: expected a file that ends in .yml or .yaml in uses of the job, found "./b"',
      'w:2:80: expected ./path/workflow.yml or [https://host/]owner/repo/path/workflow.yml@ref in uses of the job, found "o/r/x.yml"',
    ],
  ],
  [
    'declarations of a call that cannot be',
    `on:
  workflow_call:
    input: {}
    inputs: {a: , b: {type: choice}, c: {type: boolean, default: [x]}, d: {}}
    secrets: {s: {requierd: true}, t: , u: {required: maybe}}
    outputs: {o: {value: x}, p: , q: {description: x}, r: y}
jobs: {a: {uses: ./b.yml}}
`,
    [
      'w:3:5: expected a known key, found "input"; did you mean "inputs"?',
      'w:4:14: expected one of string, boolean, number as the type of the input "a" of a workflow that is called, found none',
      'w:4:19: expected one of string, boolean, number as the type of the input "b" of a workflow that is called, found "choice"',
      'w:4:66: expected a text for "default", found a list',
      'w:4:72: expected one of string, boolean, number as the type of the input "d" of a workflow that is called, found none',
      'w:5:19: expected a known key, found "requierd"; did you mean "required"?',
      'w:5:55: expected true, false or an expression for "required", found "maybe"',
      'w:6:30: expected "value" for the output "p", found none',
      'w:6:35: expected "value" for the output "q", found none',
      'w:6:59: expected a mapping for "r", found "y"',
    ],
  ],
  [
    'inputs of a call as one expression',
    'on: push\njobs: {a: {uses: ./b.yml, with: "${{ github }}", secrets: "${{ github }}"}}\n',
    ['w:2:33: expected a mapping for "with"', 'w:2:59: expected "inherit" or a mapping for "secrets"'],
  ],
  [
    'events that nobody sends',
    `on: [push, pull_requst]\njobs: {a: {runs-on: b, steps: []}}\n`,
    ['w:1:12: expected an event that starts workflows, found "pull_requst"; did you mean "pull_request"?'],
  ],
  [
    'filters that nobody reads',
    `on:
  push: {branchs: [a], types: [b]}
  pull_request: {types: [opend, closed], branches: a, branches-ignore: [b], paths: {}}
  fork: [a]
  workflow_dispatch: {input: {}}
  schedule: [{cron: '60 * * * *'}, {cron: 1, x: 2}, {}, a]
  repository_dispatch: {types: anything}
  workflow_run: {workflows: [A], types: completed, branches: [null]}
jobs: {a: {runs-on: b, steps: []}}
`,
    [
      'w:2:10: expected a known key, found "branchs"; did you mean "branches"?',
      'w:2:24: expected a known key, found "types"',
      'w:3:26: expected one of assigned, unassigned,',
      'w:3:55: expected either "branches" or "branches-ignore" for an event, found both',
      'w:3:84: expected a text or a list of texts for "paths", found a mapping',
      'w:4:9: expected a mapping for "fork", found a list',
      'w:5:23: expected a known key, found "input"; did you mean "inputs"?',
      'w:6:21: expected a minute from 0 to 59',
      'w:6:43: expected five fields for "cron" (minute hour day month weekday), found "1"',
      'w:6:46: expected a known key, found "x"',
      'w:6:53: expected a text for "cron", found a mapping',
      'w:6:57: expected a mapping with "cron", found "a"',
      'w:8:63: expected a text or a list of texts for "branches", found nothing',
    ],
  ],
  [
    'a schedule that is no list',
    'on: {schedule: {cron: a}}\njobs: {a: {runs-on: b, steps: []}}\n',
    ['w:1:16: expected a list'],
  ],
  [
    'actions that cannot be',
    job('steps: [{uses: actions/checkout}, {uses: "docker://"}, {uses: ../a}, {uses: "ssh://a/b/c@d"}]'),
    [
      'w:5:20: expected ./path, owner/repo[/path]@ref, https://host/owner/repo[/path]@ref or docker://image in uses, found "actions/checkout"',
      'w:5:46: expected docker://image in uses, found "docker://"',
      'w:5:67: expected ./path, owner/repo[/path]@ref',
      'w:5:81: expected an address with https:// or http:// in uses, found "ssh://a/b/c@d"',
    ],
  ],
  [
    'shells that nobody knows',
    `defaults: {run: {shell: fish}}\n${job('defaults: {run: {shell: "{0}"}}', 'steps: [{run: a, shell: zsh}, {run: a, shell: "zsh {0}"}]')}`,
    [
      'w:1:25: expected a shell (bash, sh, pwsh, powershell, cmd, python, node) or a command line with {0}, found "fish"',
      'w:6:29: expected a program before {0} in shell, found "{0}"',
      'w:7:29: expected a shell',
    ],
  ],
  [
    'limits that leave nothing',
    job('timeout-minutes: -5', 'strategy: {max-parallel: 0}', 'steps: [{run: a, timeout-minutes: 0}]'),
    [
      'w:5:22: expected a number above 0 for "timeout-minutes", found "-5"',
      'w:6:30: expected a number above 0 for "max-parallel", found "0"',
      'w:7:39: expected a number above 0 for "timeout-minutes", found "0"',
    ],
  ],
  [
    'what the server would not understand',
    `permissions: write-al\nconcurrency: {grup: a}\n${job('permissions: {contents: wriet, content: read, issues: [a]}', 'environment: {nam: a}')}`,
    [
      'w:1:14: expected one of read-all, write-all for "permissions", found "write-al"; did you mean "write-all"?',
      'w:2:14: expected "group" for "concurrency", found a mapping',
      'w:2:15: expected a known key, found "grup"; did you mean "group"?',
      'w:7:29: expected one of read, write, none for "contents", found "wriet"; did you mean "write"?',
      'w:7:36: expected a known key, found "content"; did you mean "contents"?',
      'w:7:59: expected one of read, write, none for "issues", found a list',
      'w:8:19: expected a known key, found "nam"; did you mean "name"?',
    ],
  ],
  [
    'jobs that differ in case only',
    'on: push\njobs:\n  a: {runs-on: b, steps: []}\n  A: {runs-on: b, steps: []}\n',
    ['w:4:3: expected each job id once, found "A" again; the job in line 3 has it'],
  ],
])('finds %s', (_title, text, problems) => {
  const found = checkWorkflow(text);
  expect(found).toHaveLength(problems.length);
  for (const [index, problem] of problems.entries()) expect(found[index]).toContain(problem);
});

it('finds nothing wrong with what is for the server', () => {
  const text = `name: nightly
description: for readers
enable-email-notifications: true
permissions: {contents: read, id-token: write, issues: none}
concurrency: {group: a, cancel-in-progress: true}
on:
  push: {branches: [main, "v*"], tags-ignore: x, paths: ["**"]}
  pull_request: {types: [opened, synchronize], branches-ignore: [a]}
  schedule: [{cron: "30 5 * * 1-5"}]
  repository_dispatch: {types: [anything]}
  workflow_run: {workflows: [CI], types: [completed], branches: main}
  issues:
  fork:
jobs:
  a: {runs-on: b, permissions: read-all, concurrency: c, environment: {name: d, url: e}, steps: [{run: f, if: secrets.g != ''}]}
`;
  expect(checkWorkflow(text)).toEqual([]);
});

it('finds nothing wrong with an action that uses all that it may', () => {
  expect(
    checkAction(`name: a
description: b
inputs: {x: {default: "\${{ github.token }}", required: false}}
outputs: {y: {value: "\${{ steps.s.outputs.y }}"}}
runs:
  using: composite
  steps:
    - {id: s, shell: bash, run: "\${{ inputs.x }}", if: "always() && runner.os != ''", working-directory: "\${{ github.action_path }}"}
    - {uses: ./b, with: {a: "\${{ env.A }}"}}
`),
  ).toEqual([]);
  expect(checkAction('runs: {using: docker, image: a, args: ["${{ inputs.x }}"], pre-if: "success()"}\n')).toEqual([]);
});

test.each<[title: string, text: string, problems: string[]]>([
  [
    'a step without a shell',
    'runs: {using: composite, steps: [{run: a}]}\n',
    ['a:1:34: expected "shell" beside "run" in a composite action, found none'],
  ],
  [
    'secrets',
    'runs: {using: composite, steps: [{run: "${{ secrets.a }}", shell: sh}]}\n',
    ['a:1:45: expression "secrets.a": expected one of'],
  ],
  [
    'an output without a value',
    'outputs: {a: {}}\nruns: {using: composite, steps: []}\n',
    ['a:1:11: expected "value" for an output of a composite action, found none'],
  ],
  [
    'a wrong default',
    'inputs: {a: {default: "${{ inputs.b }}"}}\nruns: {using: node20, main: a}\n',
    ['a:1:28: expression "inputs.b": expected one of'],
  ],
  [
    'a wrong condition',
    'runs: {using: node20, main: a, post: b, post-if: "success("}\n',
    ['a:1:59: expression "success(": expected a value, found the end'],
  ],
  [
    'a wrong argument',
    'runs: {using: docker, image: a, args: ["${{ x }}"]}\n',
    ['a:1:45: expression "x": expected one of'],
  ],
  [
    'an unknown key',
    'runs: {using: node20, main: a, poost: b}\n',
    ['a:1:32: expected a known key, found "poost"; did you mean "post"?'],
  ],
  [
    'a using that no runner knows',
    'runs: {using: node21, main: a}\n',
    [
      'a:1:15: expected one of composite, docker, go, sh, node12, node16, node20, node24 for "using", found "node21"; did you mean "node12"?',
    ],
  ],
  [
    'values of steps that cannot be',
    'runs: {using: composite, steps: [{uses: a}, {run: b, shell: zsh}]}\n',
    ['a:1:41: expected ./path', 'a:1:61: expected a shell'],
  ],
])('finds in an action %s', (_title, text, problems) => {
  const found = checkAction(text);
  expect(found).toHaveLength(problems.length);
  for (const [index, problem] of problems.entries()) expect(found[index]).toContain(problem);
});

test.each<[place: ExpressionPlace, may: string, mayNot: string]>([
  ['run-name', 'github inputs vars', 'env secrets needs'],
  ['env', 'github secrets inputs vars env', 'matrix needs'],
  ['job.if', 'github needs vars inputs secrets', 'matrix strategy env steps'],
  ['job.runs-on', 'github needs strategy matrix vars inputs', 'env secrets runner'],
  ['job.strategy', 'github needs vars inputs', 'matrix strategy'],
  ['job.env', 'github needs strategy matrix vars secrets inputs env', 'runner steps'],
  ['job.container', 'github needs strategy matrix vars inputs', 'env secrets job'],
  ['job.container.credentials', 'env secrets', 'job runner steps'],
  ['job.container.env', 'job runner env secrets', 'steps'],
  ['job.outputs', 'job runner env secrets steps', 'jobs'],
  ['job.secrets', 'secrets needs matrix', 'env steps'],
  ['step', 'job runner env secrets steps needs matrix', 'jobs'],
  ['step.if', 'job runner env steps needs matrix vars secrets', 'jobs'],
  ['on.outputs.value', 'jobs github', 'steps env'],
  ['action.step', 'inputs steps runner env job', 'secrets vars needs'],
])('%s may use %s and not %s', (place, may, mayNot) => {
  const { contexts } = availabilityAt(place);
  expect(may.split(' ').filter((name) => !contexts.has(name))).toEqual([]);
  expect(mayNot.split(' ').filter((name) => contexts.has(name))).toEqual([]);
  expect(['github', 'forgejo', 'forge', 'gitea'].filter((name) => !contexts.has(name))).toEqual([]);
});

test('any text gives problems and throws nothing', () => {
  const lines = constantFrom(
    'on: push',
    'jobs:',
    '  a:',
    '    runs-on: x',
    '    steps:',
    '      - run: ${{',
    '      - run: a }}',
    '    needs: [a, b]',
    '    if: "!"',
    '    strategy: {matrix: ${{ x }}}',
    '    container: []',
    '    env: 1',
    '  b: 2',
    '      - uses: {}',
    "    name: '${{ '''",
    '&a',
    '*a',
  );
  assert(
    property(
      oneof(
        string(),
        array(lines, { maxLength: 15 }).map((each) => each.join('\n')),
      ),
      (text) => {
        expect(Array.isArray(strictCheckWorkflow(text, 'w'))).toBe(true);
        expect(Array.isArray(strictCheckAction(text, 'w'))).toBe(true);
      },
    ),
    { numRuns: 1000 },
  );
});

const steps = 'on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n';

test.each<[title: string, text: string]>([
  ['wrong expressions in one text', `${steps}      - run: >\n${'          x ${{ nope }}\n'.repeat(20_000)}`],
  ['wrong keys', `${steps}      - {run: a, ${Array.from({ length: 20_000 }, (_, i) => `rn${i}: 1`).join()}}`],
  [
    'wrong needs',
    `on: push\njobs:\n${Array.from({ length: 2000 }, (_, i) => `  job${i}: {runs-on: x, steps: [], needs: [jo${i}, b${i}]}`).join('\n')}`,
  ],
  [
    'needs all over the place',
    `on: push\njobs:\n${Array.from({ length: 2000 }, (_, i) => `  j${i}: {runs-on: x, steps: [], needs: [${Array.from({ length: 20 }, (_, k) => `j${(i * 7 + k) % 2000}`).join()}]}`).join('\n')}`,
  ],
])('gets through thousands of %s', (_title, text) => {
  expect(strictCheckWorkflow(text, 'w').length).toBeGreaterThan(5);
});
