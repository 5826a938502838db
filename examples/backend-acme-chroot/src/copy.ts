import { PassThrough } from 'node:stream';
import { once } from 'node:events';
import { posix } from 'node:path';
import {
  BackendError,
  type CallContext,
  type CopyInRequest,
  type CopyOutRequest,
  type ExecRequest,
} from '@forgejo-runner/core';
import { enter } from './exec.ts';
import type { Sandbox } from './sandbox.ts';

// Both ways go through the `tar` inside. What steps made of the tree, symlinks above all, then means what it means to
// them, and nothing of the machine is within reach.
const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8' };
const unpack = 'mkdir -p -- "$1" && tar -x -p --no-same-owner -f - -C "$1" && cat > /dev/null';

/** Unpacks a tar stream inside. @throws BackendError `plan` with the words of `tar`, such as for an entry that climbs. */
export async function copyIn(sandbox: Sandbox, request: CopyInRequest, ctx: CallContext): Promise<void> {
  if (request.owner === 'keep') throw new BackendError('unsupported', 'a sandbox has one owner; leave "owner" out');
  const words = lastWords();
  const result = await enter(
    sandbox,
    { argv: ['/bin/sh', '-c', unpack, 'copy-in', request.dest], env, cwd: '/', stdin: request.tar, ...words.sinks },
    ctx,
  );
  if (result.kind === 'stopped') throw new BackendError('cancelled', `copying to ${request.dest} was cancelled`);
  if (result.kind === 'exited' && result.code === 0) return;
  throw new BackendError('plan', `cannot unpack to ${JSON.stringify(request.dest)}: ${words.text()}`, {
    resource: request.dest,
  });
}

/** Packs a path as a tar stream. Breaking off the iteration ends the `tar` inside. */
export async function* copyOut(
  sandbox: Sandbox,
  request: CopyOutRequest,
  ctx: CallContext,
): AsyncGenerator<Uint8Array> {
  const src = posix.normalize(request.src).replace(/(?<=.)\/$/, '');
  await checkSource(sandbox, { ...request, src }, ctx);
  const stopping = new AbortController();
  const pipe = new PassThrough({ highWaterMark: 262_144 });
  const words = lastWords();
  const running = pack(sandbox, src, { ...ctx, signal: AbortSignal.any([ctx.signal, stopping.signal]) }, pipe, words);
  running.then(
    () => pipe.end(),
    (error: Error) => pipe.destroy(error),
  );
  try {
    yield* pipe;
  } finally {
    stopping.abort();
    pipe.destroy();
    await running.catch(() => {});
  }
}

async function pack(
  sandbox: Sandbox,
  src: string,
  ctx: CallContext,
  pipe: PassThrough,
  words: LastWords,
): Promise<void> {
  const stdout = async (chunk: Uint8Array): Promise<void> => {
    if (pipe.destroyed || pipe.write(chunk)) return;
    await Promise.race([once(pipe, 'drain'), once(pipe, 'close')]);
  };
  const argv: ExecRequest['argv'] = [
    '/bin/tar',
    '-c',
    '--format=pax',
    '-f',
    '-',
    '-C',
    posix.dirname(src),
    '--',
    posix.basename(src),
  ];
  const result = await enter(sandbox, { argv, env, cwd: '/', stdout, stderr: words.sinks.stderr }, ctx);
  if (result.kind === 'stopped') throw new BackendError('cancelled', `copying ${src} was cancelled`);
  // 1: a file changed or went meanwhile, which steps may do. The archive is whole.
  if (result.kind === 'exited' && result.code <= 1) return;
  throw new BackendError('plan', `cannot read ${JSON.stringify(src)}: ${words.text()}`, { resource: src });
}

async function checkSource(sandbox: Sandbox, request: CopyOutRequest, ctx: CallContext): Promise<void> {
  if (request.src === '/' || !request.src.startsWith('/')) {
    throw new BackendError('plan', `expected an absolute path below the root, found ${JSON.stringify(request.src)}`);
  }
  let bytes = 0;
  let rest = '';
  const words = lastWords();
  const stdout = (chunk: Uint8Array): void => {
    const lines = (rest + Buffer.from(chunk).toString('latin1')).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) bytes += Number(line);
  };
  const argv: ExecRequest['argv'] = ['/usr/bin/find', request.src, '-type', 'f', '-printf', '%s\\n'];
  const result = await enter(sandbox, { argv, env, cwd: '/', stdout, stderr: words.sinks.stderr }, ctx);
  if (result.kind === 'stopped') throw new BackendError('cancelled', `copying ${request.src} was cancelled`);
  if (words.text().includes('No such file or directory')) {
    throw new BackendError('not_found', `${JSON.stringify(request.src)} does not exist`, { resource: request.src });
  }
  if (request.maxBytes !== undefined && bytes > request.maxBytes) {
    throw new BackendError(
      'plan',
      `expected at most ${request.maxBytes} bytes in ${JSON.stringify(request.src)}, found ${bytes}`,
    );
  }
}

interface LastWords {
  readonly sinks: Pick<ExecRequest, 'stdout' | 'stderr'>;
  readonly text: () => string;
}

function lastWords(): LastWords {
  let words = '';
  const stderr = (chunk: Uint8Array): void => {
    words = (words + Buffer.from(chunk).toString('utf8')).slice(-2048);
  };
  return { sinks: { stdout: () => {}, stderr }, text: () => words.trim().split('\n').slice(-3).join('; ') };
}
