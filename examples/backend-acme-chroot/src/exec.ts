import {
  BackendError,
  type CallContext,
  type ExecHandle,
  type ExecRequest,
  type ExecResult,
} from '@forgejo-runner/core';
import { startProcessGroup } from '@forgejo-runner/kit';
import type { Sandbox } from './sandbox.ts';

/**
 * Variables that change what a program does before its first line runs. `nsenter` gets the environment of the step and
 * still runs on the machine, so these must not reach it: they are put in place by `env`, inside. None is a secret.
 */
const loaderVariable =
  /^(LD_|GLIBC_TUNABLES$|GCONV_PATH$|LOCPATH$|NLSPATH$|LANGUAGE$|MALLOC_|TEXTDOMAIN|OUTPUT_CHARSET$)/;

/** Runs one process inside. Its environment is exactly the request's and one marker that ends its tree. */
export function execInside(sandbox: Sandbox, request: ExecRequest, ctx: CallContext): ExecHandle {
  return { result: run(sandbox, request, ctx) };
}

async function run(sandbox: Sandbox, request: ExecRequest, ctx: CallContext): Promise<ExecResult> {
  const [program] = request.argv;
  if (program.includes('='))
    throw new BackendError('plan', `expected a program without "=" in its name, found ${JSON.stringify(program)}`);
  if (!(await isFolder(sandbox, request.cwd, ctx))) {
    throw new BackendError('plan', `expected the folder ${JSON.stringify(request.cwd)}, found none`, {
      resource: request.cwd,
    });
  }
  const entries = Object.entries(request.env);
  const inside = entries.filter(([name]) => loaderVariable.test(name)).map(([name, value]) => `${name}=${value}`);
  const env = Object.fromEntries(entries.filter(([name]) => !loaderVariable.test(name)));
  return enter(
    sandbox,
    { ...request, env, argv: ['/usr/bin/env', `--chdir=${request.cwd}`, ...inside, ...request.argv] },
    ctx,
  );
}

const ignore = (): void => {};

async function isFolder(sandbox: Sandbox, path: string, ctx: CallContext): Promise<boolean> {
  const request: ExecRequest = {
    argv: ['/usr/bin/test', '-d', path],
    env: {},
    cwd: '/',
    stdout: ignore,
    stderr: ignore,
  };
  const result = await enter(sandbox, request, ctx);
  // A stop is for the caller's own process to notice.
  return result.kind !== 'exited' || result.code === 0;
}

/** Runs a command line inside as it is, from the root folder. */
export async function enter(sandbox: Sandbox, request: ExecRequest, ctx: CallContext): Promise<ExecResult> {
  const result = await start(sandbox, request, ctx);
  const isOwnEnd = result.kind === 'stopped' || (result.kind === 'exited' && sandbox.isAlive());
  if (isOwnEnd || (await canEnter(sandbox, ctx))) return result;
  throw new BackendError('lost', 'the sandbox ended while a process ran in it: the outcome is unknown');
}

/** A sandbox that is being killed takes its processes along before its own end shows, and takes no new ones. */
async function canEnter(sandbox: Sandbox, ctx: CallContext): Promise<boolean> {
  if (!sandbox.isAlive()) return false;
  const probe = { argv: ['/usr/bin/true'], env: {}, cwd: '/', stdout: ignore, stderr: ignore } as const;
  const result = await start(sandbox, probe, ctx);
  return result.kind === 'stopped' || (result.kind === 'exited' && result.code === 0);
}

function start(sandbox: Sandbox, request: ExecRequest, ctx: CallContext): Promise<ExecResult> {
  const argv: ExecRequest['argv'] = [...sandbox.enter, ...request.argv];
  return startProcessGroup({ ...request, argv, cwd: '/' }, { signal: ctx.signal }).result;
}
