import { expect, it } from 'vitest';
import { checkWorkflowRun, type ObservedRun } from './check-workflow-run.ts';
import { parseExpectation } from './workflow-expectation.ts';

const observed: ObservedRun = {
  succeeded: true,
  printed: 'one\ntwo\nthree\n',
  jobs: [
    {
      name: 'build',
      result: 'success',
      outputs: { version: '1' },
      steps: [
        {
          name: 'Run it',
          outcome: 'success',
          conclusion: 'success',
          rows: ['head', 'one', 'two', 'x', 'one', 'three'],
        },
        { name: 'Skip it', outcome: 'skipped', conclusion: 'skipped', rows: [] },
      ],
    },
  ],
};

function problems(lines: string, run: ObservedRun = observed): readonly string[] {
  return checkWorkflowRun(parseExpectation(`title: t\n${lines}`).expect, run);
}

it.each([
  ['the whole', 'job build: success\noutput version=1\nstep 1 "Run it": success\n| one\n| two\nstep 2: skipped'],
  ['a block that first matches in part', 'job build: success\nstep 1: success\n| one\n| three'],
  ['blocks with a gap', 'job build: success\nstep 1: success\n| head\n...\n| one\n| three'],
  ['patterns', 'job build: success\nstep 1: success\n|~ ^o.e$\n| two\nmessage: ^two$'],
])('finds nothing wrong with %s', (_, lines) => {
  expect(problems(lines)).toEqual([]);
});

it.each([
  ['result: failure', 'expected the run to end as failure, found success'],
  ['result: refused', 'expected that no step runs, found "Run it"'],
  ['job other: success', 'expected job "other", found "build"'],
  ['job build: failure', 'job "build": expected failure, found success'],
  ['job build: success\noutput version=2', 'job "build": expected the output version="2", found "1"'],
  ['job build: success\noutput none=', 'job "build": expected the output none="", found undefined'],
  ['job build: success\nstep 3: success', 'job "build" step 3: expected to find it among 2 steps'],
  ['job build: success\nstep 1 "x"', 'job "build" step 1: expected the name "x", found "Run it"'],
  ['job build: success\nstep 1: failure success', 'job "build" step 1: expected the outcome failure, found success'],
  ['job build: success\nstep 2: skipped success', 'job "build" step 2: expected the conclusion success, found skipped'],
  ['message: ^four$', 'expected a message like /^four$/mu, found none'],
  ['forbid: thr', 'expected "thr" nowhere, found it'],
])('reports %j', (lines, problem) => {
  expect(problems(lines)).toContain(problem);
});

it.each([
  ['rows that are not together', '| one\n| x'],
  ['rows in another order', '| two\n...\n| head'],
  ['one row twice', '| head\n...\n| head'],
  ['a part of a row', '| tw'],
  ['more rows than there are', '| three\n| more'],
])('reports %s', (_, rows) => {
  expect(problems(`job build: success\nstep 1: success\n${rows}`)).toEqual([
    expect.stringMatching(/^job "build" step 1: expected the rows\n/),
  ]);
});

it('says that there was no job at all', () => {
  const nothing = { succeeded: true, printed: '', jobs: [] };
  expect(problems('job build: success', nothing)).toEqual(['expected job "build", found no job']);
});
