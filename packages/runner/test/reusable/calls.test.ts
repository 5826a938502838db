import { describe, expect, it } from 'vitest';
import { callable, errorsOf, runCalls } from './run-calls.ts';

const caller = (keys = '') => `on: push\njobs:\n  call:\n    uses: ./called.yml\n${keys}`;

describe('what a called workflow sees', () => {
  it('runs the jobs of the called workflow under the name of the caller', async () => {
    const run = await runCalls(caller('    name: Outer\n'), {
      'called.yml': `on: workflow_call
jobs:
  first: { runs-on: here, steps: [{ run: echo one }] }
  second: { name: Second, needs: first, runs-on: here, steps: [{ run: echo two }] }
`,
    });
    expect(run.jobs.map(({ id, name, result }) => [id, name, result])).toEqual([
      ['call/first', 'Outer / first', 'success'],
      ['call/second', 'Outer / Second', 'success'],
    ]);
    expect(run.results).toEqual(new Map([['call', { result: 'success', outputs: new Map() }]]));
  });

  it('has inputs in their types, defaults for the rest, and no env of the caller', async () => {
    const run = await runCalls(
      `on: push
env: { FROM_CALLER: seen }
jobs:
  call:
    uses: ./called.yml
    with: { text: 5, flag: true, number: "\${{ fromJSON('7') }}", UPPER: "x\${{ vars.V }}" }
`,
      {
        'called.yml': callable(
          `echo '\${{ toJSON(inputs) }}'\necho "env [$FROM_CALLER] \${{ env.FROM_CALLER }}"`,
          `    inputs:
      text: { type: string, required: true }
      flag: { type: boolean }
      number: { type: number }
      upper: { type: string }
      text-default: { type: string, default: "d-\${{ vars.V }}" }
      flag-default: { type: boolean, default: true }
      number-default: { type: number, default: 1.5 }
      no-text: { type: string }
      no-flag: { type: boolean }
      no-number: { type: number }`,
        ),
      },
      { vars: { V: 'var' } },
    );
    const rows = run.job('call/inner').steps();
    expect(JSON.parse(rows.slice(0, -1).join('\n'))).toEqual({
      text: '5',
      flag: true,
      number: 7,
      upper: 'xvar',
      'text-default': 'd-var',
      'flag-default': true,
      'number-default': 1.5,
      'no-text': '',
      'no-flag': false,
      'no-number': 0,
    });
    expect(rows.at(-1)).toBe('env [] ');
  });

  it('takes texts that mean a boolean or a number, as event payloads have them, and nothing for not given', async () => {
    const run = await runCalls(
      caller(
        `    with: { yes: "true", no: "\${{ 'false' }}", n: "0x10", gone: "\${{ vars.NONE }}", zero: "\${{ '' }}" }\n`,
      ),
      {
        'called.yml': callable(
          `echo '\${{ toJSON(inputs.yes) }} \${{ toJSON(inputs.no) }} \${{ inputs.n }} \${{ inputs.gone }} \${{ inputs.zero }}'`,
          `    inputs:
      yes: { type: boolean }
      no: { type: boolean, default: true }
      n: { type: number }
      gone: { type: boolean, default: true }
      zero: { type: number }`,
        ),
      },
    );
    expect(run.job('call/inner').steps()).toEqual(['true false 16 true 0']);
  });

  it('keeps the github context of the caller, and names the inner job', async () => {
    const run = await runCalls(
      caller(),
      {
        'called.yml': callable(
          'echo "${{ github.event_name }} ${{ github.workflow }} ${{ github.workflow_ref }} $GITHUB_JOB"',
        ),
      },
      { github: { event_name: 'push', workflow: 'Caller', workflow_ref: 'me/mine/w.yml@main' } },
    );
    expect(run.job('call/inner').steps()).toEqual(['push Caller me/mine/w.yml@main inner']);
  });

  it('sees only the secrets that are passed, and the token of the run', async () => {
    const run = await runCalls(
      caller('    secrets: { MINE: "${{ secrets.OWN }}", Made: "made-of-${{ secrets.OWN }}" }\n'),
      {
        'called.yml': callable(
          `echo "\${{ secrets.OTHER }}|\${{ secrets.OWN }}|\${{ secrets.mine == 'hunter22' }}|\${{ secrets.GITHUB_TOKEN != '' }}"
echo "\${{ secrets.made }}" | rev
echo "\${{ secrets.made }}"`,
          '    secrets: { mine: { required: true }, made: , unused: }',
        ),
      },
      { secrets: { OWN: 'hunter22', OTHER: 'other-secret', GITHUB_TOKEN: 'token-1234' } },
    );
    expect(run.job('call/inner').steps()).toEqual(['||true|true', '22retnuh-fo-edam', '***']);
  });

  it('inherits all secrets of its caller, which may have fewer than the run', async () => {
    const run = await runCalls(
      caller('    secrets: { A: "${{ secrets.A }}" }\n'),
      {
        'called.yml': `on: { workflow_call: { secrets: { A: { required: true } } } }
jobs: { next: { uses: ./deeper.yml, secrets: inherit } }
`,
        'deeper.yml': callable(
          `echo "\${{ secrets.A == 'aaaaaa' }} [\${{ secrets.B }}]"`,
          '    secrets: { A: { required: true }, B: { required: true } }',
        ),
      },
      { secrets: { A: 'aaaaaa', B: 'bbbbbb' } },
    );
    expect(run.job('call/next/inner').steps()).toEqual(['true []']);
    expect(run.job('call/next/inner').section('set-up')).toContain(
      'deeper.yml:3:39: the secret "B" is required, and not among those that are inherited',
    );
  });

  it('is told in its log what was remarked on the call', async () => {
    const run = await runCalls(caller('    permissions: read-all\n    runs-on: here\n'), {
      'called.yml': callable('echo ok'),
    });
    const log = run.job('call/inner').section('set-up').join('\n');
    expect(log).toMatch(/^w\.yml:5:5: "permissions" changes nothing/m);
    expect(log).toMatch(/^w\.yml:6:14: "runs-on" of a job that calls a workflow changes nothing/m);
  });
});

describe('what a caller gets', () => {
  const called = callable(
    'echo "v=1.2" >> "$GITHUB_OUTPUT"',
    `    inputs: { suffix: { type: string, default: x } }
    outputs:
      version: { value: "\${{ jobs.inner.outputs.v }}-\${{ inputs.suffix }}" }
      result: { value: "\${{ jobs.inner.result }}" }
      none: { value: "\${{ jobs.inner.outputs.none }}" }`,
  ).replace(
    '    steps:\n      - run',
    '    outputs: { v: "${{ steps.s.outputs.v }}" }\n    steps:\n      - id: s\n        run',
  );

  it('gets the outputs of the called workflow in its needs', async () => {
    const run = await runCalls(
      `${caller('    with: { suffix: y }\n')}  after:
    needs: call
    runs-on: here
    steps: [{ run: "echo '\${{ toJSON(needs.call) }}'" }]
`,
      { 'called.yml': called },
    );
    expect(JSON.parse(run.job('after').steps().join('\n'))).toEqual({
      result: 'success',
      outputs: { version: '1.2-y', result: 'success' },
    });
  });

  it('leaves out an output with a secret, and says so under the name of the call', async () => {
    const run = await runCalls(
      caller('    secrets: inherit\n'),
      {
        'called.yml': callable(
          'true',
          '    outputs: { leak: { value: "a ${{ inputs.x }} hunter22" }, ok: { value: fine } }',
        ),
      },
      { secrets: { S: 'hunter22' } },
    );
    expect(run.results.get('call')).toEqual({ result: 'success', outputs: new Map([['ok', 'fine']]) });
    expect(run.job('call').result).toBe('success');
    expect(run.job('call').section('set-up')).toEqual(['##[warning]Output "leak" is left out: it may hold a secret']);
  });

  it.each([
    ['fails when one inner job fails', 'exit 1', '', 'failure', 'skipped'],
    ['succeeds when the job that failed may', 'exit 1', '    continue-on-error: true\n', 'success', 'success'],
    ['is skipped when all inner jobs are', 'true', '    if: false\n', 'skipped', 'skipped'],
  ])('%s', async (_, script, keys, result, after) => {
    const run = await runCalls(`${caller()}  after: { needs: call, runs-on: here, steps: [{ run: echo }] }\n`, {
      'called.yml': callable(script).replace('    runs-on', `${keys}    runs-on`),
    });
    expect([run.results.get('call')?.result, run.results.get('after')?.result]).toEqual([result, after]);
  });

  it('shows inner jobs only what they need themselves', async () => {
    const run = await runCalls(
      `on: push
jobs:
  bad: { runs-on: here, steps: [{ run: exit 1 }] }
  call: { needs: bad, if: failure(), uses: ./called.yml }
  skipped: { needs: bad, uses: ./called.yml }
  never: { if: false, uses: ./no-such.yml }
`,
      {
        'called.yml': callable("echo '${{ toJSON(needs) }}'").replace('    runs-on', '    if: success()\n    runs-on'),
      },
    );
    expect(run.job('call/inner').steps()).toEqual(['{}']);
    expect(Object.fromEntries([...run.results].map(([id, { result }]) => [id, result]))).toEqual({
      bad: 'failure',
      call: 'success',
      skipped: 'skipped',
      never: 'skipped',
    });
  });
});

describe('a matrix of calls', () => {
  const matrix = (keys: string) =>
    caller(`    strategy: { ${keys} matrix: { os: [a, b, c] } }\n    with: { os: "\${{ matrix.os }}" }\n`);
  const inputs = '    inputs: { os: { type: string } }\n    outputs: { os: { value: "${{ inputs.os }}" } }';

  it('calls for each combination, with its own inputs, matrix and name', async () => {
    const run = await runCalls(matrix(''), {
      'called.yml': callable('echo "${{ inputs.os }} [${{ matrix.os }}]"', inputs),
    });
    expect(run.jobs.map(({ id, name }) => `${id}: ${name}`).toSorted()).toEqual([
      'call-1/inner: call (a) / inner',
      'call-2/inner: call (b) / inner',
      'call-3/inner: call (c) / inner',
    ]);
    expect(run.job('call-2/inner').steps()).toEqual(['b []']);
    expect(run.results.get('call')?.outputs).toEqual(new Map([['os', 'c']]));
  });

  it('cancels the calls that remain where one fails', async () => {
    const run = await runCalls(matrix('max-parallel: 1,'), {
      'called.yml': callable('exit 1', inputs),
    });
    expect(run.jobs.map(({ id, result }) => [id, result])).toEqual([
      ['call-1/inner', 'failure'],
      ['call-2', 'cancelled'],
      ['call-3', 'cancelled'],
    ]);
    expect(run.results.get('call')?.result).toBe('failure');
  });

  it('goes on without fail-fast, one at a time', async () => {
    const run = await runCalls(matrix('fail-fast: false, max-parallel: 1,'), {
      'called.yml': callable('test "${{ inputs.os }}" != a', inputs),
    });
    expect(run.jobs.map(({ id, result }) => [id, result])).toEqual([
      ['call-1/inner', 'failure'],
      ['call-2/inner', 'success'],
      ['call-3/inner', 'success'],
    ]);
  });

  it('needs no place of its own: calls of calls run where one job may run at once', async () => {
    const run = await runCalls(
      matrix(''),
      {
        'called.yml': `on: { workflow_call: { inputs: { os: { type: string } } } }
jobs: { next: { uses: ./deeper.yml } }
`,
        'deeper.yml': callable('echo deep'),
      },
      { maxJobs: 1 },
    );
    expect(run.jobs.map(({ id, result }) => `${id}: ${result}`).toSorted()).toEqual([
      'call-1/next/inner: success',
      'call-2/next/inner: success',
      'call-3/next/inner: success',
    ]);
  });
});

it('plans the inner jobs of a dry run', async () => {
  const run = await runCalls(caller(), { 'called.yml': callable('exit 1') }, { isDryRun: true });
  expect(run.results.get('call')?.result).toBe('success');
  expect(errorsOf(run, 'call/inner')).toEqual([expect.stringMatching(/^Would run on label "here"/)]);
});
