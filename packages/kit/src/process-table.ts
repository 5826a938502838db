import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { Signal } from '@forgejo-runner/core';
import { errnoOf } from './file-errors.ts';

/** A running process, as far as the system tells us. Zombies are none. */
export interface ProcessEntry {
  readonly pid: number;
  readonly parentPid: number;
  /** Process group and session; 0 where the system has none. */
  readonly groupId: number;
  readonly sessionId: number;
  /** With the pid, tells this process from a later one that got the same number. */
  readonly started: string;
  /** The marker that was asked for stands in its environment. */
  readonly isMarked: boolean;
}

/** The processes of this machine. */
export interface ProcessTable {
  /** All processes; those with `marker` (`NAME=value`) in their environment are marked. */
  readonly list: (marker: string) => Promise<readonly ProcessEntry[]>;
  /** Sends a signal to each process that is still the one that was listed. Refusals show in the next list. */
  readonly signal: (entries: readonly ProcessEntry[], signal: Signal) => Promise<void>;
  /** When the process with this number started, in the words of `ProcessEntry.started`; `undefined` where none runs. */
  readonly startOf: (pid: number) => Promise<string | undefined>;
}

/** Runs a program to its end and gives its output. Injected, so that every platform can be tested anywhere. */
export type RunProgram = (file: string, args: readonly string[]) => Promise<string>;

const run: RunProgram = async (file, args) => {
  const options = { maxBuffer: 64 * 1024 * 1024, windowsHide: true, env: { ...process.env, LC_ALL: 'C' } };
  return (await promisify(execFile)(file, args, options)).stdout;
};

/** The process table of the machine that this process runs on, or of the platform that is named. */
export function processTable(platform: NodeJS.Platform = process.platform, runProgram: RunProgram = run): ProcessTable {
  if (platform === 'win32') return windowsTable(runProgram);
  return platform === 'linux' ? linuxTable('/proc') : bsdTable(platform, runProgram);
}

/** Reads a folder in the form of Linux's `/proc`. */
export function linuxTable(proc: string): ProcessTable {
  return {
    list: async (marker) => {
      const pids = (await readdir(proc)).filter((name) => /^\d+$/.test(name));
      const entries: ProcessEntry[] = [];
      // In batches, so that a machine full of processes does not open them all at once.
      for (let at = 0; at < pids.length; at += 64) {
        const batch = await Promise.all(pids.slice(at, at + 64).map((pid) => readLinuxProcess(proc, pid, marker)));
        entries.push(...batch.filter((entry) => entry !== undefined));
      }
      return entries;
    },
    signal: async (entries, signal) => {
      for (const entry of entries) {
        // Looked up again right before, because a pid may have gone to another process since the list was made.
        if (linuxStart(proc, entry.pid) === entry.started) sendSignal(entry.pid, signal);
      }
    },
    startOf: async (pid) => linuxStart(proc, pid),
  };
}

function linuxStart(proc: string, pid: number): string | undefined {
  try {
    return parseLinuxStat(readFileSync(`${proc}/${pid}/stat`, 'latin1'))?.started;
  } catch {
    return undefined;
  }
}

async function readLinuxProcess(proc: string, pid: string, marker: string): Promise<ProcessEntry | undefined> {
  try {
    const entry = parseLinuxStat(await readFile(`${proc}/${pid}/stat`, 'latin1'));
    if (entry === undefined) return undefined;
    // Those of other users cannot be read. They may still be ours by parent or session.
    const environment = await readFile(`${proc}/${pid}/environ`, 'latin1').catch(() => '');
    return { ...entry, isMarked: `\0${environment}\0`.includes(`\0${marker}\0`) };
  } catch {
    return undefined; // it ended while we looked
  }
}

/** Reads `/proc/PID/stat`; `undefined` for a zombie. The name in it may hold spaces and parentheses. */
export function parseLinuxStat(text: string): Omit<ProcessEntry, 'isMarked'> | undefined {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state = '', parentPid, groupId, sessionId] = fields;
  if (state === 'Z' || state === 'X') return undefined;
  return {
    pid: Number.parseInt(text, 10),
    parentPid: Number(parentPid),
    groupId: Number(groupId),
    sessionId: Number(sessionId),
    started: fields[19] ?? '',
  };
}

function sendSignal(pid: number, signal: Signal): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // Gone already, or of another user: both show in the next list.
    if (!['ESRCH', 'EPERM'].includes(errnoOf(error) ?? '')) throw error;
  }
}

function bsdTable(platform: NodeJS.Platform, runProgram: RunProgram): ProcessTable {
  const columns = 'pid=,ppid=,pgid=,stat=,lstart=,command=';
  // With the environment behind the command. Only our own processes show theirs.
  const all = platform === 'darwin' ? ['-A', '-E', '-ww', '-o', columns] : ['-a', '-x', '-e', '-ww', '-o', columns];
  const list = async (marker: string): Promise<readonly ProcessEntry[]> =>
    parseBsdList(await runProgram('ps', all), marker);
  const startOf = async (pid: number): Promise<string | undefined> => {
    const text = await runProgram('ps', ['-o', columns, '-p', String(pid)]).catch(() => '');
    return parseBsdList(text, '').find((entry) => entry.pid === pid)?.started;
  };
  return {
    list,
    startOf,
    signal: async (entries, signal) => {
      for (const entry of entries) sendSignal(entry.pid, signal);
    },
  };
}

const bsdLine = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(\w{3}\s+\w{3}\s+\d+\s+[\d:]+\s+\d{4})\s(.*)$/;

/** Reads what `ps` of macOS and the BSDs prints. A command with line breaks gives lines that match nothing. */
export function parseBsdList(text: string, marker: string): ProcessEntry[] {
  const entries: ProcessEntry[] = [];
  for (const line of text.split('\n')) {
    const found = bsdLine.exec(line);
    if (found === null) continue;
    const [, pid, parentPid, groupId, state = '', started = '', command = ''] = found;
    if (state.startsWith('Z')) continue;
    entries.push({
      pid: Number(pid),
      parentPid: Number(parentPid),
      groupId: Number(groupId),
      // `ps` does not tell the session there. A process of ours that changed its group has a parent or the marker.
      sessionId: 0,
      started: started.replaceAll(/\s+/g, ' '),
      isMarked: marker !== '' && ` ${command} `.includes(` ${marker} `),
    });
  }
  return entries;
}

function windowsQuery(filter: string): string {
  const row = '"$($_.ProcessId) $($_.ParentProcessId) $($_.CreationDate.Ticks)"';
  return `Get-CimInstance Win32_Process${filter} | ForEach-Object { ${row} }`;
}

function windowsTable(runProgram: RunProgram): ProcessTable {
  const ask = async (filter: string): Promise<readonly ProcessEntry[]> =>
    parseWindowsList(
      await runProgram('powershell.exe', ['-NoProfile', '-NonInteractive', '-Command', windowsQuery(filter)]),
    );
  return {
    list: () => ask(''),
    startOf: async (pid) => (await ask(` -Filter 'ProcessId=${pid}'`)).find((entry) => entry.pid === pid)?.started,
    signal: async (entries, signal) => {
      if (entries.length === 0) return;
      const pids = entries.flatMap((entry) => ['/PID', String(entry.pid)]);
      // Without /F a process is asked to close, which is as near as Windows comes to INT and TERM.
      const force = signal === 'SIGKILL' ? ['/F'] : [];
      // It fails when one of them is gone already: the next list tells.
      await runProgram('taskkill.exe', ['/T', ...force, ...pids]).catch(() => '');
    },
  };
}

/** Reads the lines of our query. Windows shows no environments, so nobody is marked there. */
export function parseWindowsList(text: string): ProcessEntry[] {
  const rows = text.split(/\r?\n/).map((line) => /^(\d+) (\d+) (\d*)$/.exec(line.trim()));
  return rows
    .filter((row) => row !== null)
    .map(([, pid, parentPid, started = '']) => ({
      pid: Number(pid),
      parentPid: Number(parentPid),
      groupId: 0,
      sessionId: 0,
      started,
      isMarked: false,
    }));
}
