import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import type { ProcessEntry } from './process-table.ts';
import { ancestorsOf, processKey, selectTree, type TreeSeeds } from './process-tree.ts';

function row(pid: number, parentPid: number, rest: Partial<ProcessEntry> = {}): ProcessEntry {
  return { pid, parentPid, groupId: 1, sessionId: 1, started: `t${pid}`, isMarked: false, ...rest };
}

function select(entries: readonly ProcessEntry[], seeds: Partial<TreeSeeds> = {}): number[] {
  const chosen = selectTree(entries, { isLeaderAlive: false, known: new Set(), spared: new Set(), ...seeds });
  return chosen.map((entry) => entry.pid).toSorted((a, b) => a - b);
}

it('takes the leader, its children and theirs', () => {
  expect(select([row(12, 11), row(11, 10), row(10, 5), row(20, 5)], { leaderPid: 10, isLeaderAlive: true })).toEqual([
    10, 11, 12,
  ]);
});

it('takes who has the marker, wherever it went', () => {
  expect(select([row(30, 1, { isMarked: true }), row(31, 30), row(32, 1)])).toEqual([30, 31]);
});

it('takes who was known, although parent and marker are gone', () => {
  expect(select([row(30, 1)], { known: new Set(['30:t30']) })).toEqual([30]);
});

it('does not take who got the number of somebody known', () => {
  expect(select([row(30, 1, { started: 'later' })], { known: new Set(['30:t30']) })).toEqual([]);
});

it('takes the session and the group of one that it took', () => {
  const entries = [
    row(40, 1, { isMarked: true, sessionId: 40 }),
    row(41, 1, { sessionId: 40 }),
    row(42, 1, { groupId: 40 }),
  ];
  expect(select(entries)).toEqual([40, 41, 42]);
});

it('takes the session of a leader that ended only while one of ours is in it', () => {
  const stranger = row(51, 1, { sessionId: 50 });
  expect(select([stranger], { leaderPid: 50 })).toEqual([]);
  expect(select([stranger], { leaderPid: 50, isLeaderAlive: true })).toEqual([51]);
  const ours = row(52, 1, { sessionId: 50, isMarked: true });
  expect(select([stranger, ours], { leaderPid: 50 })).toEqual([51, 52]);
});

it('never takes who is spared, or the first process', () => {
  const entries = [row(1, 0, { isMarked: true }), row(60, 10, { isMarked: true }), row(61, 60)];
  expect(select(entries, { spared: new Set([60]) })).toEqual([]);
});

it('knows a process and its ancestors, also when the table goes round in circles', () => {
  expect([...ancestorsOf(12, [row(12, 11), row(11, 10), row(10, 0)])]).toEqual([12, 11, 10]);
  expect([...ancestorsOf(12, [row(12, 11), row(11, 12)])]).toEqual([12, 11]);
  expect(processKey(row(7, 1))).toBe('7:t7');
});

it('takes whole subtrees and nobody without a tie, for any table', () => {
  const entry = fc.record({ pid: fc.integer({ min: 2, max: 20 }), parentPid: fc.nat(20), isMarked: fc.boolean() });
  fc.assert(
    fc.property(fc.uniqueArray(entry, { selector: (one) => one.pid }), (rows) => {
      const entries = rows.map((one) =>
        row(one.pid, one.parentPid, { isMarked: one.isMarked, groupId: 0, sessionId: 0 }),
      );
      const chosen = new Set(select(entries));
      for (const one of entries) expect(chosen.has(one.pid)).toBe(one.isMarked || chosen.has(one.parentPid));
    }),
  );
});
