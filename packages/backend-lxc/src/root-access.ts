import { readFile } from 'node:fs/promises';
import { BackendError, type CallContext } from '@forgejo-runner/core';
import { type ProcessEntry, type ProcessTable, processTable } from '@forgejo-runner/kit';
import { findProgram, runTool, type ToolEnd } from './lxc-commands.ts';

type Argv = readonly [string, ...string[]];

/** How to have something done that only root may do. */
export interface RootAccess {
  readonly kind: 'root' | 'sudo';
  /** The command line by which root runs this one. */
  readonly argv: (argv: Argv) => Argv;
  /** All processes of the machine: root's can be told apart and ended as well. */
  readonly table: ProcessTable;
}

/**
 * Being root, or `sudo` without a password.
 *
 * @throws BackendError `config` when neither is there.
 */
export async function findRootAccess(ctx: Pick<CallContext, 'signal'>): Promise<RootAccess> {
  if (process.geteuid?.() === 0) return { kind: 'root', argv: (argv) => argv, table: processTable() };
  const argv = sudoArgv(findSudo());
  const { code, stderr } = await runTool({ argv: argv(['/bin/sh', '-c', 'id -u']) }, ctx);
  if (code !== 0) throw noRoot(`sudo says "${stderr.trim().slice(-300)}"`);
  return { kind: 'sudo', argv, table: sudoTable(argv) };
}

function findSudo(): string {
  try {
    return findProgram('sudo');
  } catch {
    throw noRoot('it is another user, and the program "sudo" is not installed');
  }
}

function noRoot(found: string): BackendError {
  return new BackendError('config', `expected a runner that is root or may use sudo without a password: ${found}`, {
    hint: 'run the runner as root, or let its user do everything by sudo: "USER ALL=(root) NOPASSWD: ALL"',
  });
}

/** The markers of our own pass, so that processes are found again; sudo gives no other variable on. */
function sudoArgv(sudo: string): RootAccess['argv'] {
  return (argv) => [sudo, '-n', '--preserve-env=FJR_ENV,FJR_EXEC', '--', ...argv];
}

/** Runs a script as root to its end. */
export function runAsRoot(
  root: RootAccess,
  script: string,
  args: readonly string[],
  ctx: Pick<CallContext, 'signal'>,
): Promise<ToolEnd> {
  return runTool({ argv: root.argv(['/bin/sh', '-c', script, 'root', ...args]), table: root.table }, ctx);
}

// Whole records: an environment separates its variables by NUL.
const listMarked = 'grep -l -a -z -x -F -e "$1" /proc/[0-9]*/environ 2>/dev/null; true';
const sendSignal = 's=$1; shift; for pid; do kill -s "$s" "$pid" 2>/dev/null; done; true';

/** The table of the machine, where root reads the environments of all processes and sends the signals. */
function sudoTable(argv: RootAccess['argv']): ProcessTable {
  const base = processTable('linux');
  const run = async (script: string, args: readonly string[]): Promise<string> => {
    const line = argv(['/bin/sh', '-c', script, 'root', ...args]);
    return (await runTool({ argv: line }, { signal: AbortSignal.timeout(30_000) })).stdout;
  };
  return {
    startOf: base.startOf,
    list: async (marker) => {
      const marked = new Set((await run(listMarked, [marker])).match(/\d+/g)?.map(Number));
      const entries = (await base.list(marker)).map((entry) => ({
        ...entry,
        isMarked: entry.isMarked || marked.has(entry.pid),
      }));
      return withoutSudo(entries);
    },
    signal: async (entries, signal) => {
      const starts = await Promise.all(entries.map(({ pid }) => base.startOf(pid)));
      const pids = entries.filter(({ started }, at) => starts[at] === started).map(({ pid }) => String(pid));
      if (pids.length > 0) await run(sendSignal, [signal.replace(/^SIG/, ''), ...pids]);
    },
  };
}

/** sudo ends with what it runs, and would hand on each signal a second time. */
async function withoutSudo(entries: readonly ProcessEntry[]): Promise<readonly ProcessEntry[]> {
  const isSudo = await Promise.all(
    entries.map(async ({ pid, parentPid }) => {
      if (parentPid !== process.pid) return false;
      return (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')) === 'sudo\n';
    }),
  );
  return entries.filter((_, at) => isSudo[at] !== true);
}
