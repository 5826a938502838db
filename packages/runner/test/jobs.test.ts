import { eventually, referenceBackend } from '@forgejo-runner/testkit';
import { expect, it } from 'vitest';
import { indent, runSteps, runYaml, startYaml } from './run-yaml.ts';

/** A workflow of these jobs, each of which runs on the label that there is. */
function jobs(list: Readonly<Record<string, string>>): string {
  const entries = Object.entries(list).map(([id, yaml]) => `  ${id}:\n    runs-on: here\n${indent(yaml, '    ')}`);
  return `on: push\njobs:\n${entries.join('\n')}\n`;
}

function resultsOf(ran: Awaited<ReturnType<typeof runYaml>>): Readonly<Record<string, string>> {
  return Object.fromEntries([...ran.results].map(([id, { result }]) => [id, result]));
}

it('hands outputs to the jobs that need them', async () => {
  const ran = await runYaml(
    jobs({
      a: 'outputs: { x: "${{ steps.s.outputs.x }}", many: "${{ steps.s.outputs.many }}" }\nsteps:\n  - id: s\n    run: |\n      echo x=1 >> $GITHUB_OUTPUT\n      printf \'many<<E\\na\\nb\\nE\\n\' >> $GITHUB_OUTPUT',
      b: "needs: a\nsteps:\n  - run: echo '${{ needs.a.outputs.x }} ${{ needs.a.result }}' '${{ needs.a.outputs.many }}'",
      c: 'needs: b\nsteps:\n  - run: echo "[${{ needs.a.outputs.x }}]"',
    }),
  );
  expect(ran.job('b').steps()).toEqual(['1 success a', 'b']);
  // Only what is needed directly is seen.
  expect(ran.job('c').steps()).toEqual(['[]']);
});

it('evaluates outputs of a failed job', async () => {
  const ran = await runSteps('- id: s\n  run: echo x=1 >> $GITHUB_OUTPUT; exit 1', {
    head: 'outputs: { x: "${{ steps.s.outputs.x }}", status: "${{ job.status }}" }',
  });
  expect(ran.results.get('one')).toEqual({
    result: 'failure',
    outputs: new Map([
      ['x', '1'],
      ['status', 'failure'],
    ]),
  });
});

it('leaves out outputs that hold a secret or cannot be evaluated, and says so', async () => {
  const ran = await runSteps(
    '- id: s\n  run: echo "x=before-hunter2-after" >> $GITHUB_OUTPUT; echo "y=aHVudGVyMg==" >> $GITHUB_OUTPUT',
    {
      secrets: { PASS: 'hunter2' },
      head: 'outputs: { x: "${{ steps.s.outputs.x }}", y: "${{ steps.s.outputs.y }}", bad: "${{ fromJSON(steps.s.outputs.x) }}", good: fine }',
    },
  );
  expect(ran.results.get('one')?.outputs).toEqual(new Map([['good', 'fine']]));
  expect(ran.job().outputs).toEqual(new Map([['good', 'fine']]));
  const rows = ran.job().section('complete').join('\n');
  for (const name of ['x', 'y', 'bad']) expect(rows).toContain(`##[warning]Output "${name}" is left out`);
  expect(rows).not.toContain('hunter2');
});

it('skips what needs a job that failed, unless its if says otherwise', async () => {
  const ran = await runYaml(
    jobs({
      bad: 'steps: [{ run: exit 1 }]',
      plain: 'needs: bad\nsteps: [{ run: echo no }]',
      far: 'needs: plain\nsteps: [{ run: echo no }]',
      always: "needs: plain\nif: always()\nsteps: [{ run: 'echo ${{ needs.plain.result }}' }]",
      failed: 'needs: bad\nif: failure()\nsteps: [{ run: echo yes }]',
      never: "needs: []\nif: github.repository == 'other'\nsteps: [{ run: echo no }]",
      wrong: "if: fromJSON('x')\nsteps: [{ run: echo no }]",
    }),
  );
  expect(resultsOf(ran)).toEqual({
    bad: 'failure',
    plain: 'skipped',
    far: 'skipped',
    always: 'success',
    failed: 'success',
    never: 'skipped',
    wrong: 'failure',
  });
  expect(ran.job('always').steps()).toEqual(['skipped']);
  expect(ran.job('wrong').text()).toMatch(/##\[error\]w\.yml:\d+:\d+: expression "fromJSON\('x'\)"/);
  expect(ran.job('plain').text()).toBe('Skipped: a job that it needs did not succeed');
  expect(ran.job('never').text()).toBe('Skipped: its if is not true');
});

it('skips a job before it looks at the matrix, which may be made of outputs that are not there', async () => {
  const ran = await runYaml(
    jobs({
      list: 'outputs: { m: "${{ steps.s.outputs.m }}" }\nsteps:\n  - id: s\n    run: exit 1',
      each: 'needs: list\nstrategy: { matrix: { n: "${{ fromJSON(needs.list.outputs.m) }}" } }\nsteps: [{ run: echo no }]',
    }),
  );
  expect(resultsOf(ran)).toEqual({ list: 'failure', each: 'skipped' });
});

it('runs every combination of a matrix, and merges results and outputs', async () => {
  const ran = await runYaml(
    jobs({
      list: "outputs: { m: '[1,2,3]' }\nsteps: [{ run: 'true' }]",
      each: `needs: list
name: each \${{ matrix.n }}
strategy: { matrix: { n: "\${{ fromJSON(needs.list.outputs.m) }}" } }
outputs: { "of-\${{ x }}": "no", o1: "\${{ steps.s.outputs.o1 }}", o2: "\${{ steps.s.outputs.o2 }}" }
steps:
  - id: s
    run: echo o\${{ matrix.n }}=v\${{ matrix.n }} >> $GITHUB_OUTPUT; echo \${{ strategy.job-index }} of \${{ strategy.job-total }}`,
      end: "needs: each\nsteps: [{ run: 'echo ${{ needs.each.result }} ${{ needs.each.outputs.o1 }} ${{ needs.each.outputs.o2 }}' }]",
    }),
  );
  expect(ran.jobs.map(({ name }) => name)).toEqual(['list', 'each 1', 'each 2', 'each 3', 'end']);
  expect(ran.job('each-3').steps()).toEqual(['2 of 3']);
  expect(ran.job('end').steps()).toEqual(['success v1 v2']);
});

it('cancels the other instances when one fails, with their post-work, and says so of those that waited', async () => {
  const ran = await runYaml(
    jobs({
      m: `strategy: { max-parallel: 2, matrix: { n: [1, 2, 3] } }
steps:
  - run: if [ \${{ matrix.n }} = 1 ]; then exit 1; else sleep 60; fi
  - run: echo "cleaned"
    if: cancelled()`,
      next: 'needs: m\nif: always()\nsteps: [{ run: "echo ${{ needs.m.result }}" }]',
    }),
  );
  expect(ran.jobs.map(({ id, result }) => [id, result])).toEqual([
    ['m-1', 'failure'],
    ['m-2', 'cancelled'],
    ['m-3', 'cancelled'],
    ['next', 'success'],
  ]);
  expect(ran.job('m-2').steps()).toEqual(['cleaned']);
  expect(ran.job('m-3').text()).toBe('Cancelled before it started');
  expect(ran.job('next').steps()).toEqual(['failure']);
});

it('lets them run without fail-fast', async () => {
  const ran = await runYaml(
    jobs({ m: 'strategy: { fail-fast: false, matrix: { n: [1, 2] } }\nsteps: [{ run: "test ${{ matrix.n }} = 2" }]' }),
  );
  expect(ran.jobs.map(({ result }) => result)).toEqual(['failure', 'success']);
  expect(resultsOf(ran)).toEqual({ m: 'failure' });
});

it('forgives a job by continue-on-error, per instance of a matrix', async () => {
  const ran = await runYaml(
    jobs({
      m: 'continue-on-error: ${{ matrix.n == 1 }}\nstrategy: { matrix: { n: [1, 2] } }\nsteps: [{ run: "test ${{ matrix.n }} = 2" }]',
      next: 'needs: m\nsteps: [{ run: "echo ${{ needs.m.result }}" }]',
    }),
  );
  expect(resultsOf(ran)).toEqual({ m: 'success', next: 'success' });
  expect(ran.job('m-1').section('complete')).toContain('The job failed, and continue-on-error lets the run go on');
});

it('forgives a job without an environment as well', async () => {
  const backend = referenceBackend({ faults: { create: { code: 'image' } } });
  const ran = await runSteps('- run: echo', { backend, head: 'continue-on-error: true' });
  expect(ran.results.get('one')?.result).toBe('success');
});

it('keeps to max-parallel and to the number of jobs at once', async () => {
  const steps = 'steps: [{ run: "mkdir $LOCK && sleep 0.05 && rmdir $LOCK" }]\nenv: { LOCK: "${{ vars.LOCK }}" }';
  for (const [strategy, maxJobs] of [
    ['max-parallel: 1', 4],
    ['max-parallel: "${{ fromJSON(\'4\') }}"', 1],
  ] as const) {
    const LOCK = `/tmp/forgejo-runner-test-lock-${process.pid}-${maxJobs}`;
    const ran = await runYaml(jobs({ m: `strategy: { ${strategy}, matrix: { n: [1, 2, 3] } }\n${steps}` }), {
      maxJobs,
      vars: { LOCK },
    });
    expect(resultsOf(ran)).toEqual({ m: 'success' });
  }
});

it.each(['0', '-1', '1.5', '"${{ github.repository }}"'])('refuses max-parallel: %s', async (text) => {
  const ran = await runYaml(
    jobs({ m: `strategy: { max-parallel: ${text}, matrix: { n: [1] } }\nsteps: [{ run: echo }]` }),
  );
  expect(ran.job().text()).toContain('expected max-parallel to be a whole number above 0');
});

it('runs one job with those that it needs', async () => {
  const ran = await runYaml(
    jobs({
      a: 'steps: [{ run: echo a }]',
      b: 'needs: a\nsteps: [{ run: echo b }]',
      c: 'steps: [{ run: echo c }]',
      d: 'needs: [b]\nsteps: [{ run: echo d }]',
    }),
    { job: 'b' },
  );
  expect(resultsOf(ran)).toEqual({ a: 'success', b: 'success' });
});

it('runs jobs that do not wait for each other at the same time', async () => {
  const cancel = new AbortController();
  const wait = 'steps: [{ run: echo here; sleep 60 }]';
  const run = await startYaml(jobs({ a: wait, b: wait }), { signal: cancel.signal });
  await eventually(() => run.jobs.filter((job) => job.steps().includes('here')).length === 2);
  cancel.abort();
  expect([...(await run.done).values()].map(({ result }) => result)).toEqual(['cancelled', 'cancelled']);
});

it('plans everything and runs nothing', async () => {
  const ran = await runYaml(
    jobs({
      a: 'steps: [{ run: echo }]',
      b: 'runs-on: there\nsteps: [{ run: echo }]'.replace('runs-on: there\n', 'container: alpine\n'),
    }),
    {
      isDryRun: true,
    },
  );
  expect(resultsOf(ran)).toEqual({ a: 'success', b: 'failure' });
  expect(ran.job('b').text()).toMatch(
    /label "here" \(backend reference\) cannot run this job: the job needs a container\. Nothing was started/,
  );
  expect(ran.backend.log.map(({ method }) => method)).not.toContain('createEnvironment');
});
