import { readFile } from 'node:fs/promises';
import { BackendError, type CallContext, type RemoveReport } from '@forgejo-runner/core';
import { endProcesses, type Marker, type PipeSource } from '@forgejo-runner/kit';
import { removeJobFolder } from './job-folder.ts';
import { runTool, runToolOk } from './lxc-commands.ts';
import type { RootAccess } from './root-access.ts';

/** The programs of LXC that are needed, with their absolute paths, and who runs them. */
export interface LxcPrograms {
  readonly root: RootAccess;
  readonly start: string;
  readonly stop: string;
  readonly info: string;
  readonly attach: string;
  readonly cgroup: string;
}

/** A container that was started. Everything that runs something in it is handed this. */
export interface RunningContainer {
  readonly name: string;
  /** Folder that holds the folder of the container: what LXC calls its path. */
  readonly parent: string;
  readonly attach: string;
  readonly root: RootAccess;
  readonly marker: Marker;
  readonly pipes: PipeSource;
  /** Aborts when the environment is no more. */
  readonly ended: AbortSignal;
  readonly isAlive: () => Promise<boolean>;
  /** Has the kernel killed a process for want of memory since the last question? */
  readonly hasNewOom: () => Promise<boolean>;
}

/** Which container is meant. */
export interface ContainerRef {
  readonly parent: string;
  readonly name: string;
}

/** The first process of a container, on this machine. */
export interface InitProcess {
  readonly pid: number;
  readonly started: string;
}

/** Starts a container whose folder is complete. @throws BackendError `unavailable` with what LXC says. */
export async function startContainer(
  programs: LxcPrograms,
  { parent, name }: ContainerRef,
  ctx: CallContext,
): Promise<InitProcess> {
  const { root } = programs;
  const { table } = root;
  const log = `${parent}/${name}/lxc.log`;
  const argv = root.argv([programs.start, '-P', parent, '-n', name, '-l', 'ERROR', '-o', log]);
  const { code } = await runTool({ argv, table }, ctx);
  if (code !== 0) throw await startError(log, name);
  const text = await runToolOk(
    {
      argv: root.argv([programs.info, '-P', parent, '-n', name, '-p', '-H']),
      doing: `find container "${name}"`,
      resource: name,
    },
    ctx,
  );
  const pid = Number(text.trim());
  const started = Number.isInteger(pid) && pid > 0 ? await table.startOf(pid) : undefined;
  if (started === undefined) throw await startError(log, name);
  return { pid, started };
}

async function startError(log: string, name: string): Promise<BackendError> {
  const text = await readFile(log, 'utf8').catch(() => '');
  const words = text
    .split('\n')
    .map((line) => line.replace(/^.*?ERROR\s+\S+ - \S+ - /, '').trim())
    .filter((line) => line !== '' && !/To get more details|Additional information|failed to start$/.test(line));
  const isFull = words.some((line) => /no space left/i.test(line));
  const hint = isFull
    ? 'make room on the disk of "storage"'
    : 'check that LXC can start containers on this machine with lxc-checkconfig';
  return new BackendError(
    'unavailable',
    `cannot start container "${name}": LXC says "${words.slice(0, 3).join('; ').slice(0, 600)}"`,
    {
      resource: name,
      retryable: !isFull,
      hint,
    },
  );
}

/** How often the kernel killed a process of the container for want of memory. */
export async function countOoms(programs: LxcPrograms, { parent, name }: ContainerRef): Promise<number> {
  for (const file of ['memory.events', 'memory.oom_control']) {
    const { code, stdout } = await runTool(
      { argv: programs.root.argv([programs.cgroup, '-P', parent, '-n', name, file]) },
      { signal: AbortSignal.timeout(5000) },
    ).catch(() => ({ code: 1, stdout: '' }));
    const count = /^oom_kill (\d+)$/m.exec(stdout)?.[1];
    if (code === 0 && count !== undefined) return Number(count);
  }
  return 0;
}

/** For what a job left running: it had its chance to end during the job. */
const orphanStages = [{ signal: 'SIGKILL', graceMs: 0 }] as const;

/**
 * Ends a container with all that belongs to it and removes its folder, the owner file last, so that a removal that breaks
 * off is taken up by the next sweep. Never rejects.
 */
export async function removeContainer(
  { root, stop }: Pick<LxcPrograms, 'root' | 'stop'>,
  { folder, parent, name, marker }: ContainerRef & { readonly folder: string; readonly marker: Marker },
): Promise<RemoveReport> {
  const leaked: { resource: string; error: string }[] = [];
  const signal = AbortSignal.timeout(30_000);
  // What it says does not matter: whether processes are left does.
  await runTool({ argv: root.argv([stop, '-P', parent, '-n', name, '-k']) }, { signal }).catch(() => {});
  try {
    // Also the first process of a container whose monitor was killed, and what waits for the end of its time.
    const { survivors } = await endProcesses({ marker, stages: orphanStages, table: root.table });
    leaked.push(...survivors.map(({ pid }) => ({ resource: `process ${pid}`, error: 'it survived SIGKILL' })));
  } catch (error) {
    leaked.push({ resource: `processes of ${folder}`, error: String(error) });
  }
  if (leaked.length > 0) return { removed: [], leaked: [...leaked, { resource: folder, error: 'it is still in use' }] };
  const { isRemoved, error = '' } = await removeJobFolder(root, folder);
  return isRemoved ? { removed: [folder], leaked } : { removed: [], leaked: [{ resource: folder, error }] };
}
