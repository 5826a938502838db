import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
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
import { factory } from '@forgejo-runner/backend-lxc';
import { debianSystem } from '../../../e2e/images/layers.ts';

/** Why containers cannot be made here; in CI everything has to be there. */
export const whyNoLxc: string | undefined = findLack();

function findLack(): string | undefined {
  if (process.env['CI'] !== undefined) return undefined;
  if (process.platform !== 'linux' || process.geteuid?.() !== 0) return 'LXC containers need root of a Linux machine';
  if (!existsSync('/usr/bin/lxc-start')) return 'the package lxc is not installed';
  if (!existsSync('/sys/class/net/lxcbr0')) return 'the bridge lxcbr0 is not there';
  return existsSync('/usr/sbin/debootstrap') ? undefined : 'the package debootstrap is not installed';
}

const silent = (): void => {};

/** A call context that lasts as long as the signal. */
export function callContext(
  signal: AbortSignal = new AbortController().signal,
  rest: Partial<CallContext> & { readonly events?: BackendEvent[] } = {},
): CallContext {
  const { events = [], ...more } = rest;
  return {
    signal,
    deadline: Date.now() + 60_000,
    log: { debug: silent, info: silent, warn: silent, error: silent },
    progress: silent,
    emit: (event) => events.push(event),
    ...more,
  };
}

type Environment = ExecutionEnvironment & { readonly target: Target };

export interface Lxc {
  readonly backend: Backend;
  readonly create: (name: string, rest?: Partial<EnvironmentRequest>, label?: string) => Promise<Environment>;
}

/** A backend like the runner opens it, with a template `test` that is a Debian with git, python and node. */
export async function openLxc(
  storage: string,
  {
    runner = 'runner-1',
    boot = 'boot-1',
    config = {},
  }: { readonly runner?: string; readonly boot?: string; readonly config?: object } = {},
): Promise<Lxc> {
  const { file } = await debianSystem();
  const read = await factory.configSchema['~standard'].validate({
    storage,
    templates: { test: { rootfs: file } },
    ...config,
  });
  if (read.issues !== undefined) throw new Error(JSON.stringify(read.issues));
  const owner = { runner, boot };
  const input = { config: read.value, owner, stateDir: storage, apiVersion: '1.0.0', addMask: () => {} };
  const backend = await factory.create(input, callContext());
  return {
    backend,
    create: async (name, rest = {}, label = 'x:lxc://test') => {
      const environment = await backend.createEnvironment(
        {
          name,
          task: { id: '1', attempt: 1, repository: 'o/r', workflow: 'w', job: 'j' },
          owner,
          label: await backend.resolveLabel(parseLabel(label), callContext()),
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
  environment: Environment,
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

/** Command lines of the processes of this machine that hold a text. */
export function processesWith(text: string): readonly string[] {
  const list = execFileSync('ps', ['-A', '-o', 'stat=,args='], { encoding: 'utf8' });
  return list.split('\n').filter((line) => line.includes(text) && !line.startsWith('Z'));
}
