import { expect, it } from 'vitest';
import { endProcesses } from './end-processes.ts';
import { newMarker } from './marker.ts';
import type { ProcessEntry, ProcessTable } from './process-table.ts';

interface Fake {
  readonly pid: number;
  readonly parentPid?: number;
  readonly obeys: readonly string[];
  /** Starts another one when it gets a signal. */
  readonly forks?: readonly Fake[];
}

function entry(one: Fake): ProcessEntry {
  const isMarked = one.parentPid === undefined;
  return { pid: one.pid, parentPid: one.parentPid ?? 1, groupId: 0, sessionId: 0, started: `t${one.pid}`, isMarked };
}

/** A table whose processes leave at once when they get a signal that they obey. */
function fakeTable(processes: readonly Fake[]): { readonly table: ProcessTable; readonly sent: string[] } {
  const alive = new Map(processes.map((one) => [one.pid, one]));
  const sent: string[] = [];
  const table: ProcessTable = {
    list: async () => Array.from(alive.values(), entry),
    startOf: async () => undefined,
    signal: async (entries, signal) => {
      for (const { pid } of entries) {
        sent.push(`${signal} ${pid}`);
        const one = alive.get(pid);
        for (const child of one?.forks ?? []) alive.set(child.pid, child);
        if (one?.obeys.includes(signal)) alive.delete(pid);
      }
    },
  };
  return { table, sent };
}

const stages = [
  { signal: 'SIGINT', graceMs: 30 },
  { signal: 'SIGTERM', graceMs: 30 },
  { signal: 'SIGKILL', graceMs: 0 },
] as const;
const marker = newMarker('TEST');

it('sends nothing when nobody is there', async () => {
  const { table, sent } = fakeTable([]);
  expect(await endProcesses({ marker, stages, table })).toEqual({ found: 0, survivors: [] });
  expect(sent).toEqual([]);
});

it('stops at the stage that was enough, and sends each polite signal once', async () => {
  const { table, sent } = fakeTable([
    { pid: 10, obeys: ['SIGINT'] },
    { pid: 11, parentPid: 10, obeys: ['SIGTERM'] },
  ]);
  expect(await endProcesses({ marker, stages, table })).toEqual({ found: 2, survivors: [] });
  expect(sent).toEqual(['SIGINT 10', 'SIGINT 11', 'SIGTERM 11']);
});

it('ends who starts while it works', async () => {
  const { table, sent } = fakeTable([
    {
      pid: 10,
      obeys: ['SIGKILL'],
      forks: [{ pid: 12, obeys: ['SIGKILL'], forks: [{ pid: 13, obeys: ['SIGKILL'] }] }],
    },
  ]);
  expect((await endProcesses({ marker, stages: [{ signal: 'SIGKILL', graceMs: 0 }], table })).survivors).toEqual([]);
  expect(sent).toEqual(['SIGKILL 10', 'SIGKILL 12', 'SIGKILL 13']);
});

it('names the survivors of stages that do not kill', async () => {
  const { table } = fakeTable([{ pid: 10, obeys: [] }]);
  const { survivors } = await endProcesses({ marker, stages: stages.slice(0, 2), table });
  expect(survivors.map((entry) => entry.pid)).toEqual([10]);
});
