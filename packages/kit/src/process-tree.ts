import type { ProcessEntry } from './process-table.ts';

/** What is known about a tree before looking. */
export interface TreeSeeds {
  /** First process of the tree and leader of its session and group. */
  readonly leaderPid?: number;
  /** The leader was not reaped yet, so that its number cannot belong to anybody else. */
  readonly isLeaderAlive: boolean;
  /** Processes that were found to belong to the tree before, by {@link processKey}. */
  readonly known: ReadonlySet<string>;
  /** Never part of a tree, whatever they look like. */
  readonly spared: ReadonlySet<number>;
}

/** Names a process for as long as the machine runs. */
export function processKey(entry: ProcessEntry): string {
  return `${entry.pid}:${entry.started}`;
}

/**
 * The processes of a tree: the leader, all that carry the marker, all that were known before, their children, and all
 * in a session or group that one of them leads. A child that left the group is found by its marker or its parent, one
 * that dropped its environment by its parent or its session. Lost is only who does all of it: new session, empty
 * environment, and a parent that is gone.
 */
export function selectTree(entries: readonly ProcessEntry[], seeds: TreeSeeds): ProcessEntry[] {
  const candidates = entries.filter((entry) => entry.pid > 1 && !seeds.spared.has(entry.pid));
  const chosen = new Map<number, ProcessEntry>();
  for (const entry of candidates) if (isSeed(entry, seeds)) chosen.set(entry.pid, entry);
  for (let before = -1; before !== chosen.size; ) {
    before = chosen.size;
    const leads = leadersOf(chosen, seeds);
    for (const entry of candidates) {
      if (chosen.has(entry.pid)) continue;
      const isOurs = chosen.has(entry.parentPid) || leads.has(entry.sessionId) || leads.has(entry.groupId);
      if (isOurs) chosen.set(entry.pid, entry);
    }
  }
  return [...chosen.values()];
}

function isSeed(entry: ProcessEntry, seeds: TreeSeeds): boolean {
  if (entry.isMarked || seeds.known.has(processKey(entry))) return true;
  return seeds.isLeaderAlive && entry.pid === seeds.leaderPid;
}

/** Numbers of sessions and groups that are ours. */
function leadersOf(chosen: ReadonlyMap<number, ProcessEntry>, seeds: TreeSeeds): Set<number> {
  const leaders = new Set(chosen.keys());
  const { leaderPid } = seeds;
  if (leaderPid === undefined) return leaders;
  // A number stays taken while anybody uses it as session or group: one of ours in it proves that it is still ours.
  const isStillOurs = chosen.values().some((entry) => entry.sessionId === leaderPid || entry.groupId === leaderPid);
  if (seeds.isLeaderAlive || isStillOurs) leaders.add(leaderPid);
  return leaders;
}

/** A process and all that started it: who kills a tree must not kill itself on the way. */
export function ancestorsOf(pid: number, entries: readonly ProcessEntry[]): Set<number> {
  const parents = new Map(entries.map((entry) => [entry.pid, entry.parentPid]));
  const found = new Set<number>();
  for (let at: number | undefined = pid; at !== undefined && at > 0 && !found.has(at); at = parents.get(at))
    found.add(at);
  return found;
}
