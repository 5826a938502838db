import { execFileSync } from 'node:child_process';
import type {
  Backend,
  BackendEvent,
  CallContext,
  EnvironmentRequest,
  ExecRequest,
  ExecResult,
  ExecutionEnvironment,
  Target,
} from '@forgejo-runner/core';
import { parseLabel } from '@forgejo-runner/core';
import { factory } from '@forgejo-runner/backend-host';

const silent = (): void => {};

/** A call context that lasts as long as the signal. */
export function callContext(
  signal: AbortSignal = new AbortController().signal,
  events: BackendEvent[] = [],
): CallContext {
  return {
    signal,
    deadline: Date.now() + 60_000,
    log: { debug: silent, info: silent, warn: silent, error: silent },
    progress: silent,
    emit: (event) => events.push(event),
  };
}

export interface Host {
  readonly backend: Backend;
  readonly create: (
    name: string,
    rest?: Partial<EnvironmentRequest>,
  ) => Promise<ExecutionEnvironment & { readonly target: Target }>;
}

/** A backend like the runner opens it. `boot` stands for one start of the process. */
export async function openHost(
  workdirParent: string,
  runner = 'runner-1',
  boot = 'boot-1',
  config: object = {},
): Promise<Host> {
  const read = await factory.configSchema['~standard'].validate({ workdir_parent: workdirParent, ...config });
  if (read.issues !== undefined) throw new Error(JSON.stringify(read.issues));
  const owner = { runner, boot };
  const input = { config: read.value, owner, stateDir: workdirParent, apiVersion: '1.0.0', addMask: () => {} };
  const backend = await factory.create(input, callContext());
  const label = await backend.resolveLabel(parseLabel('shell:host'), callContext());
  return {
    backend,
    create: async (name, rest = {}) => {
      const environment = await backend.createEnvironment(
        {
          name,
          task: { id: '1', attempt: 1, repository: 'o/r', workflow: 'w', job: 'j' },
          owner,
          label,
          plan: { services: [], stepContainers: 'none' },
          expiresAt: Date.now() + 3_600_000,
          ...rest,
        },
        callContext(),
      );
      const { target } = environment;
      if (target === undefined) throw new Error('expected a target');
      return Object.assign(environment, { target });
    },
  };
}

export interface ShellRun {
  readonly result: ExecResult;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a script in an environment and collects what it says. */
export async function sh(
  environment: ExecutionEnvironment & { readonly target: Target },
  script: string,
  rest: Partial<ExecRequest> & { readonly signal?: AbortSignal } = {},
): Promise<ShellRun> {
  const { signal, ...request } = rest;
  let stdout = '';
  let stderr = '';
  const handle = environment.target.exec(
    {
      argv: ['/bin/sh', '-c', script],
      env: environment.target.baseEnv,
      cwd: environment.info.paths.workspace,
      stop: [
        { signal: 'SIGTERM', graceMs: 200 },
        { signal: 'SIGKILL', graceMs: 0 },
      ],
      stdout: (chunk) => void (stdout += Buffer.from(chunk).toString()),
      stderr: (chunk) => void (stderr += Buffer.from(chunk).toString()),
      ...request,
    },
    callContext(signal),
  );
  return { result: await handle.result, stdout, stderr };
}

/** How many processes run with exactly this command line. */
export function countProcesses(command: string): number {
  const list = execFileSync('ps', ['-A', '-o', 'stat=,args='], { encoding: 'utf8' });
  return list.split('\n').filter((line) => line.replace(/^\S+\s+/, '').trim() === command && !line.startsWith('Z'))
    .length;
}
