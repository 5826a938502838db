import { expect, it } from 'vitest';
import { heldClock } from '../server-clock.ts';
import { checkReport } from './check-report.ts';
import { fakeJob } from './fake-job.ts';
import { JobBoard, serverTimers } from './job-board.ts';
import { RunnerBook } from './runner-book.ts';
import type { SentStep } from './known-task.ts';

function openJob() {
  const clock = heldClock();
  const board = new JobBoard(clock, serverTimers);
  const known = board.add({ workflow: '{ runs-on: linux, steps: [{ run: a }, { run: b }] }' }, {});
  const task = board.pick(new RunnerBook(clock).add({ labels: ['linux'] }), {});
  if (task === undefined) throw new Error('expected a task');
  return {
    job: fakeJob(known, board),
    log: (index: number, texts: readonly string[], noMore = false) =>
      board.updateLog(
        task,
        index,
        texts.map((text) => ({ atMs: 1, text })),
        noMore,
      ),
    state: (steps: readonly SentStep[], result?: 'success') =>
      board.updateTask(task, { steps, ...(result === undefined ? {} : { result }) }, {}),
  };
}

const first = { index: 0, startedAtMs: 1, logIndex: 1, logLength: 1 };
const done = (step: typeof first): SentStep => ({ ...step, result: 'success', stoppedAtMs: 2 });
const second = { index: 1, startedAtMs: 2, logIndex: 2, logLength: 1 };

it('has nothing to say of a good report', () => {
  const { job, log, state } = openJob();
  log(0, ['set-up', 'a']);
  state([first]);
  log(2, ['b', 'end'], true);
  state([done(first), done(second)], 'success');
  expect(checkReport(job, { rows: ['a', 'b'] })).toEqual([]);
});

it.each<[string, RegExp, (opened: ReturnType<typeof openJob>) => void]>([
  ['a missing row', /expected 2 rows, found 1; row 1 is nothing in place of "b"/, ({ log }) => log(0, ['a'])],
  ['a row too many', /row 1 is "a" in place of "b"/, ({ log }) => log(0, ['a', 'a', 'b'])],
  [
    'rows before which others are missing',
    /rows from 5 on were sent where the server had 0/,
    ({ log }) => log(5, ['a']),
  ],
  [
    'rows that change',
    /1 rows came again with another text/,
    ({ log }) => {
      log(0, ['a']);
      log(0, ['z', 'b']);
    },
  ],
  [
    'rows after the end of the log',
    /sent to a log that had been put away/,
    ({ log }) => {
      log(0, ['a'], true);
      log(1, ['b']);
    },
  ],
  ['an end of the log that nobody sees', /no_more was sent without a row/, ({ log }) => log(0, [], true)],
  ['a step with rows that are not there', /step 0 names row 2 of 0/, ({ state }) => state([first])],
  [
    'a step that is left out',
    /step 0 is missing in a later state/,
    ({ state }) => {
      state([first]);
      state([]);
    },
  ],
  [
    'a step that changes its mind',
    /step 0 was success and became running/,
    ({ state }) => {
      state([done(first)]);
      state([first]);
    },
  ],
  ['a result before the end of the log', /the log was not closed/, ({ state }) => state([], 'success')],
  ['a step that never ends', /step 1 is waiting in a task that ended/, ({ state }) => state([done(first)], 'success')],
  [
    'steps with rows between them',
    /step 1 begins at row 4, the one before ends at 2/,
    ({ state }) => state([done(first), done({ ...second, logIndex: 4 })], 'success'),
  ],
  ['a task that did not end', /the task did not end/, () => undefined],
])('tells of %s', (_, expected, play) => {
  const opened = openJob();
  play(opened);
  expect(checkReport(opened.job, { rows: ['a', 'b'] }).join('\n')).toMatch(expected);
});
