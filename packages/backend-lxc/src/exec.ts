import {
  BackendError,
  type CallContext,
  type ExecHandle,
  type ExecRequest,
  type ExecResult,
  type OutputSink,
} from '@forgejo-runner/core';
import { checkExecRequest, requestTooBig, startProcessGroup } from '@forgejo-runner/kit';
import type { RunningContainer } from './container.ts';
import { launch } from './launcher.ts';

const users = new WeakMap<RunningContainer, Map<string, Promise<readonly string[]>>>();

/** Starts one process of a job in the container and tells when it starts and ends. */
export function execInside(container: RunningContainer, request: ExecRequest, ctx: CallContext): ExecHandle {
  const tell = (type: 'exec.start' | 'exec.end'): void =>
    ctx.emit({ type, at: Date.now(), environment: container.name, attributes: {} });
  tell('exec.start');
  const starting = startInside(container, request, ctx);
  const result = starting.then((started) => started.result).finally(() => tell('exec.end'));
  return {
    result,
    signal: async (signal) => {
      // Why it did not start, `result` tells.
      await (await starting.catch(() => undefined))?.signal?.(signal);
    },
  };
}

async function startInside(container: RunningContainer, request: ExecRequest, ctx: CallContext): Promise<ExecHandle> {
  const { argv, env, cwd, user, tty, ...io } = request;
  if (tty !== undefined)
    throw new BackendError('unsupported', 'a process of an LXC container cannot be given a terminal');
  if (!cwd.startsWith('/')) throw noFolder(cwd);
  const asUser = user === undefined ? [] : await userFlags(container, user, ctx);
  checkExecRequest(request);
  const launched = launch({ argv, env, cwd, hasInput: io.stdin !== undefined });
  const stderr = new FirstWords(request.stderr, [launched.noFolder, launched.tooBig]);
  const handle = startProcessGroup(
    {
      ...io,
      argv: attachArgv(container, [...asUser, '--', ...launched.argv]),
      env: {},
      stdin: withHeader(launched.header, io.stdin),
      cwd: '/',
      stderr: stderr.sink,
    },
    {
      // It also ends with the environment, so that no process starts while the environment is being removed.
      signal: AbortSignal.any([ctx.signal, container.ended]),
      markers: container.marker.env,
      pipes: container.pipes,
      ...(container.root.kind === 'sudo' ? { table: container.root.table } : {}),
    },
  );
  return {
    ...handle,
    result: handle.result.then(async (ended) => {
      if (ended.kind === 'exited' && ended.code === 125) {
        if (stderr.match === launched.noFolder) throw noFolder(cwd);
        if (stderr.match === launched.tooBig) throw requestTooBig(request);
      }
      return judge(container, ended, ctx);
    }),
  };
}

/** The command line that runs something in the container. */
export function attachArgv(
  { root, attach, parent, name }: RunningContainer,
  rest: readonly string[],
): ExecRequest['argv'] {
  return root.argv([attach, '-P', parent, '-n', name, '--keep-env', ...rest]);
}

async function* withHeader(
  header: Uint8Array,
  stdin: AsyncIterable<Uint8Array> | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield header;
  if (stdin !== undefined) yield* stdin;
}

/** A process that was killed together with its container did not end by itself. */
async function judge(container: RunningContainer, ended: ExecResult, ctx: CallContext): Promise<ExecResult> {
  if (ended.kind === 'stopped') {
    if (container.ended.aborted && !ctx.signal.aborted) throw lost(container);
    return ended;
  }
  if (ended.kind === 'exited' && ended.code === 0) return ended;
  if (container.ended.aborted || !(await container.isAlive())) throw lost(container);
  const isKilled = ended.kind === 'signaled' ? ended.signal === 'SIGKILL' : ended.code === 137;
  return isKilled && (await container.hasNewOom()) ? { ...ended, oomKilled: true } : ended;
}

function lost(container: RunningContainer): BackendError {
  return new BackendError(
    'lost',
    `the container "${container.name}" ended while a process ran in it: the outcome is unknown`,
    {
      resource: container.name,
    },
  );
}

function noFolder(cwd: string): BackendError {
  return new BackendError('plan', `expected the folder ${JSON.stringify(cwd.slice(0, 200))} to run in, found none`, {
    resource: cwd,
  });
}

/** Hands on what a process writes, but for one of the launcher's own words at the very beginning. */
class FirstWords {
  readonly sink: OutputSink;
  #held = '';
  #isDecided = false;
  /** The word that came. */
  match: string | undefined;

  constructor(sink: OutputSink, words: readonly string[]) {
    this.sink = async (chunk) => {
      if (this.#isDecided) return sink(chunk);
      const text = this.#held + Buffer.from(chunk).toString('latin1');
      if (words.some((word) => text.length < word.length && word.startsWith(text))) {
        this.#held = text;
        return undefined;
      }
      this.#isDecided = true;
      this.match = words.find((word) => word === text);
      return this.match === undefined ? sink(Buffer.from(text, 'latin1')) : undefined;
    };
  }
}

/** Numbers of a user of the container, looked up once. @throws BackendError `plan` for one that is unknown there. */
async function userFlags(container: RunningContainer, user: string, ctx: CallContext): Promise<readonly string[]> {
  const known = users.get(container) ?? new Map<string, Promise<readonly string[]>>();
  users.set(container, known);
  const found = known.get(user) ?? lookUpUser(container, user, ctx);
  known.set(user, found);
  found.catch(() => known.delete(user));
  return found;
}

async function lookUpUser(container: RunningContainer, user: string, ctx: CallContext): Promise<readonly string[]> {
  const [, uid, gid] = /^(\d+)(?::(\d+))?$/.exec(user) ?? [];
  if (uid !== undefined) return ['-u', uid, '-g', gid ?? uid];
  const words = await runInside(container, ['sh', '-c', 'id -u -- "$1" && id -g -- "$1"', 'user', user], ctx);
  const [foundUid, foundGid] = words.stdout.trim().split('\n');
  if (words.code === 0 && foundUid !== undefined && foundGid !== undefined) return ['-u', foundUid, '-g', foundGid];
  throw new BackendError('plan', `expected a user of the container, found ${JSON.stringify(user.slice(0, 200))}`, {
    resource: user,
  });
}

/** What programs of ours see inside. */
export const insideEnv = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' } as const;

/** Runs a small program of ours inside and keeps the last of what it writes. @throws BackendError `lost`, `cancelled`. */
export async function runInside(
  container: RunningContainer,
  argv: ExecRequest['argv'],
  ctx: CallContext,
  io: Partial<Pick<ExecRequest, 'stdin' | 'stdout'>> = {},
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const kept = { stdout: '', stderr: '' };
  const keep =
    (name: keyof typeof kept): OutputSink =>
    (chunk) => {
      kept[name] = (kept[name] + Buffer.from(chunk).toString('utf8')).slice(-8192);
    };
  const request: ExecRequest = {
    argv,
    env: insideEnv,
    cwd: '/',
    stdout: keep('stdout'),
    stderr: keep('stderr'),
    ...io,
  };
  const { result } = await startInside(container, request, ctx);
  const ended = await result;
  if (ended.kind === 'stopped')
    throw new BackendError('cancelled', `running ${argv[0]} in the container was cancelled`);
  return { ...kept, code: ended.kind === 'exited' ? ended.code : 255 };
}
