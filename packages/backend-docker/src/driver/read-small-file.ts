import type { CallContext } from '@forgejo-runner/core';
import { extract } from 'tar-stream';
import { statusOf } from '../platform-errors.ts';
import { askEngine } from './ask-engine.ts';
import type { DockerEndpoint } from './endpoint.ts';

/** No list of users that is worth reading is longer. */
const limitBytes = 1024 * 1024;

/** Reads a text file of a container, up to 1 MiB of it; undefined where there is none. */
export async function readSmallFile(
  { client }: DockerEndpoint,
  { container, path }: { readonly container: string; readonly path: string },
  ctx: CallContext,
): Promise<string | undefined> {
  return askEngine({ doing: `read ${path} of the container`, resource: container }, ctx, async () => {
    try {
      return await firstFile(await client.getContainer(container).getArchive({ path }));
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      throw error;
    }
  });
}

async function firstFile(tar: NodeJS.ReadableStream): Promise<string | undefined> {
  const entries = extract();
  tar.on('error', (error) => entries.destroy(error));
  tar.pipe(entries);
  for await (const entry of entries) {
    // A link of an image may lead anywhere; who follows it knows no more than who does not.
    if (entry.header.type !== 'file') return undefined;
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of entry as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      size += chunk.length;
      if (size > limitBytes) break;
    }
    return Buffer.concat(chunks).subarray(0, limitBytes).toString('utf8');
  }
  return undefined;
}
