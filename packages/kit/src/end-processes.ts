import { setTimeout as pause } from 'node:timers/promises';
import type { StopStage } from '@forgejo-runner/core';
import type { Marker } from './marker.ts';
import { type ProcessEntry, type ProcessTable, processTable } from './process-table.ts';
import { ancestorsOf, processKey, selectTree } from './process-tree.ts';

/** Which processes to end, and how. */
export interface EndRequest {
  readonly marker: Marker;
  readonly stages: readonly StopStage[];
  /** First process of the tree, where there is one. */
  readonly leaderPid?: number;
  /** The leader was not reaped yet. Asked again before each look. */
  readonly isLeaderAlive?: () => boolean;
  /** Default: the processes of this machine, of which the calling process and its parents are always spared. */
  readonly table?: ProcessTable;
  /** The table is of another machine or container: none of its numbers is one of ours. */
  readonly isElsewhere?: boolean;
}

/** How it went. Who is alive after the last stage could not be ended, or was not asked to with `SIGKILL`. */
export interface EndReport {
  /** How many processes were seen. */
  readonly found: number;
  readonly survivors: readonly ProcessEntry[];
}

/** Killed processes need a moment to go, longer on a busy machine or in the middle of a disk operation. */
const killBoundMs = 3000;
const shortestPauseMs = 10;
const longestPauseMs = 250;

/**
 * Ends all processes that carry a marker, and everything that they started, stage by stage. It looks again and again,
 * so that processes which start meanwhile are ended too, and returns as soon as nobody is left.
 */
export async function endProcesses(request: EndRequest): Promise<EndReport> {
  const table = request.table ?? processTable();
  const known = new Set<string>();
  const look = async (): Promise<ProcessEntry[]> => {
    const entries = await table.list(request.marker.text);
    const alive = selectTree(entries, {
      ...(request.leaderPid === undefined ? {} : { leaderPid: request.leaderPid }),
      isLeaderAlive: request.isLeaderAlive?.() ?? false,
      known,
      spared: request.isElsewhere === true ? new Set() : ancestorsOf(process.pid, entries),
    });
    for (const entry of alive) known.add(processKey(entry));
    return alive;
  };
  let alive = await look();
  for (const stage of request.stages) {
    if (alive.length === 0) break;
    alive = await runStage({ table, look, stage }, alive);
  }
  return { found: known.size, survivors: alive };
}

interface StageRun {
  readonly table: ProcessTable;
  readonly look: () => Promise<ProcessEntry[]>;
  readonly stage: StopStage;
}

async function runStage({ table, look, stage }: StageRun, before: ProcessEntry[]): Promise<ProcessEntry[]> {
  const isKill = stage.signal === 'SIGKILL';
  const end = performance.now() + (isKill ? Math.max(stage.graceMs, killBoundMs) : stage.graceMs);
  const told = new Set<string>();
  let alive = before;
  for (let pauseMs = shortestPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    // A polite signal once; the last one as often as it takes, against a tree that keeps forking.
    await table.signal(isKill ? alive : alive.filter((entry) => !told.has(processKey(entry))), stage.signal);
    for (const entry of alive) told.add(processKey(entry));
    const leftMs = end - performance.now();
    if (leftMs <= 0) return alive;
    await pause(Math.min(pauseMs, leftMs));
    alive = await look();
    if (alive.length === 0) return alive;
  }
}
