import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { type ProcessTable, processTable } from './process-table.ts';

/** Which process of which machine: enough to tell later whether it still runs. */
export interface ProcessIdentity {
  readonly host: string;
  /** Changes when the machine starts again; empty where the system has none. */
  readonly machineBoot: string;
  /** Process numbers mean something only inside of it; empty where the system has none. */
  readonly pidNamespace: string;
  readonly pid: number;
  readonly started: string;
}

/** Where to look. Replaced in tests. */
export interface IdentitySource {
  readonly table: ProcessTable;
  readonly host: string;
  readonly machineBoot: string;
  readonly pidNamespace: string;
}

/** The machine that this process runs on. */
export function thisMachine(table: ProcessTable = processTable()): IdentitySource {
  return {
    table,
    host: hostname(),
    machineBoot: orEmpty(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
    pidNamespace: orEmpty(() => readlinkSync('/proc/self/ns/pid')),
  };
}

function orEmpty(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}

/** Who this process is. */
export async function ownIdentity(source: IdentitySource): Promise<ProcessIdentity> {
  const { host, machineBoot, pidNamespace } = source;
  const started = (await source.table.startOf(process.pid)) ?? '';
  return { host, machineBoot, pidNamespace, pid: process.pid, started };
}

/**
 * Is that process gone for certain? On another machine or in another process namespace nobody can tell, and the answer
 * is no.
 */
export async function isGone(identity: ProcessIdentity, source: IdentitySource): Promise<boolean> {
  if (identity.host !== source.host) return false;
  if (identity.machineBoot !== source.machineBoot) return true;
  if (identity.pidNamespace !== source.pidNamespace) return false;
  return (await source.table.startOf(identity.pid)) !== identity.started;
}
