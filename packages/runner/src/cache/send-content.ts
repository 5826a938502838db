import type { Writable } from 'node:stream';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { readByteRange } from './byte-range.ts';
import type { CacheContext } from './cache-http.ts';
import type { EntryContent } from './cache-store.ts';

/**
 * Answers with a content or a range of it, straight from its file to the connection. Clients of Azure say `x-ms-range`
 * where others say `Range`.
 */
export async function sendContent(
  c: CacheContext,
  opened: EntryContent,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  await using content = opened;
  const { incoming, outgoing } = c.env;
  const range = readByteRange(c.req.header('x-ms-range') ?? c.req.header('range'), content.size);
  outgoing.setHeader('accept-ranges', 'bytes');
  outgoing.setHeader('content-type', 'application/octet-stream');
  outgoing.setHeader('last-modified', new Date(content.createdMs).toUTCString());
  for (const [name, value] of Object.entries(headers)) outgoing.setHeader(name, value);
  if (range === 'unsatisfiable') {
    outgoing.writeHead(416, { 'content-range': `bytes */${content.size}` }).end();
    return RESPONSE_ALREADY_SENT;
  }
  const { start, end } = range ?? { start: 0, end: content.size };
  outgoing.setHeader('content-length', end - start);
  if (range !== undefined) outgoing.setHeader('content-range', `bytes ${start}-${end - 1}/${content.size}`);
  outgoing.statusCode = range === undefined ? 200 : 206;
  if (incoming.method === 'HEAD' || start === end) {
    outgoing.end();
    return RESPONSE_ALREADY_SENT;
  }
  try {
    await pump(await content.read({ start, end }), outgoing);
  } catch (error) {
    // The client went away, or the file is broken: either way the connection ends here, so that half is not taken for all.
    outgoing.destroy(error instanceof Error ? error : undefined);
  }
  return RESPONSE_ALREADY_SENT;
}

/** Sends chunks, one while the next one is read. Rejects when the reader of the answer goes away. */
async function pump(chunks: AsyncIterable<Uint8Array>, outgoing: Writable): Promise<void> {
  const gone = Promise.withResolvers<never>();
  const onClose = (): void => gone.reject(new Error('the client went away'));
  outgoing.once('close', onClose);
  // Nobody may be waiting for it at that moment.
  gone.promise.catch(() => {});
  try {
    let sending = Promise.resolve();
    for await (const chunk of chunks) {
      await Promise.race([sending, gone.promise]);
      sending = sent(chunk, outgoing);
      sending.catch(() => {});
    }
    await Promise.race([sending, gone.promise]);
    outgoing.end();
  } finally {
    outgoing.off('close', onClose);
  }
}

/** Resolves when a chunk is with the system, and its buffer is free again. */
function sent(chunk: Uint8Array, outgoing: Writable): Promise<void> {
  return new Promise((resolve, reject) => {
    outgoing.write(chunk, (error) => (error === undefined || error === null ? resolve() : reject(error)));
  });
}
