import { expect, it } from 'vitest';
import type { LogSection, StepChange, StepResult } from './job-report.ts';
import { StepSections } from './step-sections.ts';

const step = (index: number, stage: 'pre' | 'main' | 'post' = 'main'): LogSection => ({ kind: 'step', index, stage });
const started = (index: number, stage: 'pre' | 'main' | 'post' = 'main'): StepChange => ({
  kind: 'started',
  index,
  stage,
  name: `Step ${index}`,
  atMs: 100 + index,
});
const finished = (
  index: number,
  outcome: StepResult = 'success',
  stage: 'pre' | 'main' | 'post' = 'main',
): StepChange => ({
  kind: 'finished',
  index,
  stage,
  name: `Step ${index}`,
  outcome,
  conclusion: 'success',
  atMs: 200 + index,
});

it('gives each step the rows from its beginning to that of the next', () => {
  const sections = new StepSections();
  sections.rows({ kind: 'set-up' }, 0);
  sections.change(started(0), 3);
  sections.rows(step(0), 3);
  sections.change(finished(0), 5);
  sections.change(finished(1, 'skipped'), 5);
  // What a forgotten process of the first step still writes keeps the ranges together.
  sections.change(started(2), 6);
  expect(sections.states(9)).toEqual([
    { index: 0, result: 'success', startedAtMs: 100, stoppedAtMs: 200, logIndex: 3, logLength: 3 },
    { index: 1, result: 'skipped', logIndex: 5, logLength: 0 },
    { index: 2, startedAtMs: 102, logIndex: 6, logLength: 3 },
  ]);
});

it('tells of no row beyond those that are asked for', () => {
  const sections = new StepSections();
  sections.change(started(0), 2);
  sections.change(started(1), 5);
  expect(sections.states(4).map(({ logIndex, logLength }) => [logIndex, logLength])).toEqual([
    [2, 2],
    [5, 0],
  ]);
});

it.each<[string, (sections: StepSections) => void]>([
  ['the first post stage', (sections) => sections.change(started(0, 'post'), 7)],
  ['rows of a post stage', (sections) => sections.rows(step(0, 'post'), 7)],
  ['rows after the steps', (sections) => sections.rows({ kind: 'complete' }, 7)],
])('ends the last step with %s', (_, end) => {
  const sections = new StepSections();
  sections.change(started(0), 2);
  sections.change(finished(0), 6);
  end(sections);
  expect(sections.states(20)[0]).toMatchObject({ logIndex: 2, logLength: 5 });
});

it('leaves rows of pre stages before the first step, and their results to the log', () => {
  const sections = new StepSections();
  sections.change(started(1, 'pre'), 1);
  sections.rows(step(1, 'pre'), 1);
  sections.change(finished(1, 'failure', 'pre'), 4);
  expect(sections.states(4)).toEqual([]);
  sections.change(started(0), 4);
  sections.change(finished(0, 'success', 'post'), 6);
  expect(sections.states(6)).toEqual([{ index: 0, startedAtMs: 100, logIndex: 4, logLength: 2 }]);
});

it('reports how a step ended before continue-on-error', () => {
  const sections = new StepSections();
  sections.change(started(0), 0);
  sections.change(finished(0, 'failure'), 0);
  expect(sections.states(0)[0]?.result).toBe('failure');
});

it.each([
  ['cancelled', 'cancelled'],
  ['failure', 'failure'],
  ['success', 'failure'],
] as const)('ends what still runs when the job ends as %s', (result, expected) => {
  const sections = new StepSections();
  sections.change(started(0), 1);
  sections.finish({ result, atMs: 900, count: 2 }, 4);
  expect(sections.states(9)).toEqual([
    { index: 0, result: expected, startedAtMs: 100, stoppedAtMs: 900, logIndex: 1, logLength: 3 },
    { index: 1, result: 'skipped', logIndex: 4, logLength: 0 },
  ]);
});

it('takes back ranges of rows that got lost', () => {
  const sections = new StepSections();
  sections.change(started(0), 2);
  sections.change(started(1), 8);
  sections.cutTo(5);
  sections.change(started(2), 6);
  expect(sections.states(9).map(({ logIndex, logLength }) => [logIndex, logLength])).toEqual([
    [2, 3],
    [5, 1],
    [6, 3],
  ]);
});

it('goes on from what an earlier process knew', () => {
  const before = new StepSections();
  before.change(started(0), 2);
  before.change(finished(0), 4);
  before.change(started(1), 4);
  const after = StepSections.restore(before.states(6));
  after.finish({ result: 'failure', atMs: 900, count: 3 }, 8);
  expect(after.states(9)).toEqual([
    { index: 0, result: 'success', startedAtMs: 100, stoppedAtMs: 200, logIndex: 2, logLength: 2 },
    { index: 1, result: 'failure', startedAtMs: 101, stoppedAtMs: 900, logIndex: 4, logLength: 4 },
    { index: 2, result: 'skipped', logIndex: 8, logLength: 0 },
  ]);
});
