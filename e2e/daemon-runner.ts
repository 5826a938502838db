import { readdir, readFile, readlink } from 'node:fs/promises';
import { eventually, type FakeForgejo, type NewRunner, openTempFolder, type TempFolder } from '@forgejo-runner/testkit';
import { type Finished, type Running, startProgram } from './run-program.ts';

/** Where a runner lives: its home, its configuration, and the folder of its jobs. */
export interface RunnerHome extends AsyncDisposable {
  readonly folder: TempFolder;
  /** Starts `daemon`, or what else is said. */
  readonly start: (...command: readonly string[]) => StartedRunner;
  /** Names of what jobs have left in the folder for jobs. */
  readonly leftFolders: () => Promise<readonly string[]>;
  /** Command lines of processes that work below the folder for jobs. */
  readonly leftProcesses: () => Promise<readonly string[]>;
}

/** A runner that was started. */
export interface StartedRunner extends AsyncDisposable {
  readonly pid: number;
  readonly finished: Promise<Finished>;
  readonly isRunning: () => boolean;
  readonly signal: (name: NodeJS.Signals) => void;
  /** Ends it as the machine would, and resolves when it is gone. */
  readonly kill: () => Promise<void>;
  /** What it printed so far. */
  readonly output: () => string;
}

/** What a home has for a runner. */
export interface HomeOptions {
  /** Command line of a built runner. */
  readonly command: readonly [string, ...string[]];
  /** Instances by the names of the connections, and who the runner is on each. */
  readonly connections: Readonly<Record<string, { readonly forgejo: FakeForgejo; readonly runner?: NewRunner }>>;
  /** Default `{ linux: host }`. */
  readonly labels?: readonly string[];
  readonly capacity?: number;
  /** More of the section `runner`. */
  readonly runner?: Readonly<Record<string, unknown>>;
  /** More sections of the configuration. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
}

/** Makes a home with a configuration, as an administrator has it, with times that suit a test. */
export async function openHome(options: HomeOptions): Promise<RunnerHome> {
  const folder = await openTempFolder('forgejo-runner-daemon-');
  const connections = Object.entries(options.connections).map(([name, { forgejo, runner }]) => {
    const { uuid, token } = forgejo.addRunner(runner);
    return [name, { url: forgejo.url, uuid, token }] as const;
  });
  // JSON is YAML as well.
  const config = {
    runner: {
      capacity: options.capacity ?? 2,
      fetch_interval: '100ms',
      report_interval: '100ms',
      report_retry: { initial_delay: '50ms', max_delay: '500ms' },
      labels: options.labels ?? ['linux:host'],
      ...options.runner,
    },
    cache: { enabled: false },
    host: { workdir_parent: folder.join('jobs') },
    server: { connections: Object.fromEntries(connections) },
    ...options.config,
  };
  await folder.write({ 'home/.keep': '', 'tmp/.keep': '', 'config.yml': JSON.stringify(config, undefined, 2) });
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: folder.join('home'),
    TMPDIR: folder.join('tmp'),
    LANG: 'C.UTF-8',
    NO_COLOR: '1',
    ...options.env,
  };
  const started = new Set<StartedRunner>();
  const start = (...command: readonly string[]): StartedRunner => {
    const [name = 'daemon', ...rest] = command;
    const line = [...options.command, '-c', folder.join('config.yml'), name, ...rest] as const;
    const runner = startedRunner(startProgram(line, { cwd: folder.path, env }));
    started.add(runner);
    return runner;
  };
  return {
    folder,
    start,
    leftFolders: () => jobFolders(folder.join('jobs')),
    leftProcesses: () => processesBelow(folder.join('jobs')),
    [Symbol.asyncDispose]: async () => {
      for (const runner of started) await runner.kill();
      for (const pid of await pidsBelow(folder.path)) endProcess(pid, 'SIGKILL');
      await folder[Symbol.asyncDispose]();
    },
  };
}

function startedRunner({ pid, finished, stdout, stderr }: Running): StartedRunner {
  let isRunning = true;
  const gone = finished.finally(() => {
    isRunning = false;
  });
  const signal = (name: NodeJS.Signals): void => {
    if (isRunning) endProcess(pid, name);
  };
  const kill = async (): Promise<void> => {
    signal('SIGKILL');
    await gone;
  };
  return {
    pid,
    finished: gone,
    isRunning: () => isRunning,
    signal,
    kill,
    output: () => stdout() + stderr(),
    [Symbol.asyncDispose]: kill,
  };
}

function endProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It went by itself.
  }
}

async function jobFolders(path: string): Promise<readonly string[]> {
  const names = await readdir(path).catch(() => []);
  // Tools that jobs fetched are kept for the next ones.
  return names.filter((name) => name !== 'tool_cache' && !name.startsWith('.'));
}

async function processesBelow(path: string): Promise<readonly string[]> {
  const pids = await pidsBelow(path);
  return Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => `${pid}`)));
}

/** Processes that work in a folder, or were started with a path in it. */
async function pidsBelow(path: string): Promise<readonly number[]> {
  const pids: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    const cwd = await readlink(`/proc/${name}/cwd`).catch(() => '');
    const cmdline = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
    if (cwd.startsWith(path) || cmdline.includes(path)) pids.push(Number(name));
  }
  return pids;
}

/** Waits until jobs have left nothing. */
export async function expectNothingLeft(home: RunnerHome): Promise<void> {
  const left = async (): Promise<readonly string[]> => [...(await home.leftFolders()), ...(await home.leftProcesses())];
  try {
    await eventually(async () => (await left()).length === 0, { timeoutMs: 60_000, intervalMs: 100 });
  } catch (error) {
    throw new Error(`expected nothing left of jobs, found ${JSON.stringify(await left())}`, { cause: error });
  }
}
