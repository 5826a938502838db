import path from 'node:path';
import { BackendError, type CallContext, type CopyInRequest, type CopyOutRequest } from '@forgejo-runner/core';
import { packTar, unpackTar } from '@forgejo-runner/kit';

/** Unpacks a tar stream on this machine. @throws BackendError, see `unpackTar`. */
export async function copyIn(request: CopyInRequest, ctx: CallContext): Promise<void> {
  if (request.owner === 'keep') {
    throw new BackendError('unsupported', 'owners cannot be kept on this machine; leave "owner" out');
  }
  checkAbsolute(request.dest);
  await unpackTar(request, ctx.signal);
}

/** Packs a path of this machine. The iteration throws BackendError, see `packTar`. */
export async function* copyOut(request: CopyOutRequest, ctx: CallContext): AsyncGenerator<Uint8Array, void, undefined> {
  checkAbsolute(request.src);
  yield* packTar(request, ctx.signal);
}

function checkAbsolute(given: string): void {
  if (path.isAbsolute(given) && !given.includes('\0')) return;
  throw new BackendError('plan', `expected an absolute path, found ${JSON.stringify(given.slice(0, 200))}`, {
    resource: given,
  });
}
