import { once } from 'node:events';
import { posix } from 'node:path';
import { PassThrough } from 'node:stream';
import { BackendError, type CallContext, type CopyInRequest, type CopyOutRequest } from '@forgejo-runner/core';
import type { RunningContainer } from './container.ts';
import { runInside } from './exec.ts';

// Both ways go through the `tar` inside. What steps made of the tree, symlinks above all, then means what it means to
// them, and nothing of the machine is within reach.
const unpack = [
  'mkdir -p -- "$1" || exit 1',
  // Without the right to make them, device files of an archive are errors.
  'drop=; command -v setpriv >/dev/null && drop="setpriv --inh-caps -mknod --bounding-set -mknod"',
  '$drop tar -x -p "$2" --numeric-owner -f - -C "$1" || exit 1',
  // The stream is taken to its end, also behind the end of the archive.
  'cat >/dev/null',
].join('\n');

const exitMissing = 66;
const exitTooLarge = 67;
const pack = [
  `[ -e "$1" ] || [ -L "$1" ] || exit ${exitMissing}`,
  'if [ -n "$4" ]; then',
  '  sum=0',
  '  for size in $(find "$1" -type f -exec stat -c %s {} +); do sum=$((sum+size)); done',
  `  [ "$sum" -le "$4" ] || exit ${exitTooLarge}`,
  'fi',
  'exec tar -c --format=pax --numeric-owner -f - -C "$2" -- "$3"',
].join('\n');

/** Unpacks a tar stream inside. @throws BackendError `plan` with the words of `tar`, such as for an entry that climbs. */
export async function copyIn(container: RunningContainer, request: CopyInRequest, ctx: CallContext): Promise<void> {
  const { dest, tar, owner } = request;
  checkAbsolute(dest);
  const whose = owner === 'keep' ? '--same-owner' : '--no-same-owner';
  const ended = await runInside(container, ['/bin/sh', '-c', unpack, 'copy-in', dest, whose], ctx, { stdin: tar });
  if (ended.code === 0) return;
  if (/no space left/i.test(ended.stderr)) {
    throw new BackendError('unavailable', `cannot unpack to ${shown(dest)}: no space is left on the disk`, {
      resource: dest,
    });
  }
  throw new BackendError('plan', `cannot unpack to ${shown(dest)}: ${lastLines(ended.stderr)}`, { resource: dest });
}

/** Packs a path as a tar stream. Breaking off the iteration ends the `tar` inside. */
export async function* copyOut(
  container: RunningContainer,
  request: CopyOutRequest,
  ctx: CallContext,
): AsyncGenerator<Uint8Array, void, undefined> {
  checkAbsolute(request.src);
  const src = posix.normalize(request.src).replace(/(?<=.)\/$/, '');
  if (src === '/') throw new BackendError('plan', 'expected a path below the root of the container, found "/"');
  const stopping = new AbortController();
  const pipe = new PassThrough({ highWaterMark: 262_144 });
  const running = packInside(
    container,
    { ...request, src },
    { ...ctx, signal: AbortSignal.any([ctx.signal, stopping.signal]) },
    pipe,
  );
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

async function packInside(
  container: RunningContainer,
  { src, maxBytes }: CopyOutRequest,
  ctx: CallContext,
  pipe: PassThrough,
): Promise<void> {
  const stdout = async (chunk: Uint8Array): Promise<void> => {
    if (pipe.destroyed || pipe.write(chunk)) return;
    await Promise.race([once(pipe, 'drain'), once(pipe, 'close')]);
  };
  const argv = [
    '/bin/sh',
    '-c',
    pack,
    'copy-out',
    src,
    posix.dirname(src),
    posix.basename(src),
    maxBytes === undefined ? '' : String(maxBytes),
  ] as const;
  const ended = await runInside(container, argv, ctx, { stdout });
  if (ended.code === 0) return;
  if (ended.code === exitMissing)
    throw new BackendError('not_found', `${shown(src)} does not exist`, { resource: src });
  if (ended.code === exitTooLarge)
    throw new BackendError('plan', `expected at most ${maxBytes} bytes in ${shown(src)}, found more`, {
      resource: src,
    });
  // A file that changed while it was read is still there as it was.
  if (ended.code === 1 && /file changed as we read it|File removed before we read it/.test(ended.stderr)) return;
  throw new BackendError('plan', `cannot read ${shown(src)}: ${lastLines(ended.stderr)}`, { resource: src });
}

function checkAbsolute(given: string): void {
  if (posix.isAbsolute(given) && !given.includes('\0')) return;
  throw new BackendError('plan', `expected an absolute path, found ${shown(given)}`, { resource: given });
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 200));
}

function lastLines(text: string): string {
  const lines = text
    .trim()
    .split('\n')
    .filter((line) => !/exit delayed from previous errors/.test(line));
  return lines.slice(-3).join('; ').slice(-600);
}
