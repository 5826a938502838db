import type { HandlerContext } from '@connectrpc/connect';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { BackendError } from '@forgejo-runner/core';
import type {
  CopyInRequest,
  CopyInResponseSchema,
  CopyOutRequest,
  CopyOutResponseSchema,
} from '../gen/forgejo/runner/backend/v1/backend_pb.ts';
import { chunksOf } from '../chunks.ts';
import { defaultChunkBytes } from '../limits.ts';
import { callOf } from './call-contexts.ts';
import type { Served } from './served.ts';

/** Unpacks what a runner sends. */
export async function copyIn(
  { environments, log }: Served,
  requests: AsyncIterable<CopyInRequest>,
  context: HandlerContext,
): Promise<MessageInitShape<typeof CopyInResponseSchema>> {
  const iterator = requests[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (first.done === true) throw new BackendError('plan', 'expected a target and a destination, found nothing');
  const { target: ref, dest, keepOwner } = first.value;
  const target = environments.target(ref?.environment ?? '', ref?.container ?? '');
  const tar = archive(first.value, iterator);
  await target.copyIn({ dest, tar, ...(keepOwner ? { owner: 'keep' } : {}) }, callOf(context, log));
  return {};
}

async function* archive(
  first: CopyInRequest,
  rest: AsyncIterator<CopyInRequest>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (let message = first; ; ) {
    if (message.data.length > 0) yield message.data;
    if (message.last) return;
    const next = await rest.next();
    // A connection that was lost must not look like a short archive.
    if (next.done === true) throw new BackendError('lost', 'the archive ended before its last piece');
    message = next.value;
  }
}

/** Packs what a runner asks for. */
export async function* copyOut(
  { environments, log }: Served,
  { target: ref, src, maxBytes }: CopyOutRequest,
  context: HandlerContext,
): AsyncGenerator<MessageInitShape<typeof CopyOutResponseSchema>, void, undefined> {
  const target = environments.target(ref?.environment ?? '', ref?.container ?? '');
  const limit = maxBytes === 0n ? {} : { maxBytes: Number(maxBytes) };
  const chunks = target.copyOut({ src, ...limit }, callOf(context, log));
  for await (const data of chunksOf(chunks, defaultChunkBytes)) yield { data };
  yield { last: true };
}
