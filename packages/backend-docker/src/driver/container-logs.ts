import type { CallContext, OutputSink } from '@forgejo-runner/core';
import { askEngine } from './ask-engine.ts';
import type { DockerEndpoint } from './endpoint.ts';

/** Enough to see why a service failed. */
const tailLines = 50;
const tailBytes = 16 * 1024;

/** The last lines that a container wrote, both streams as one. Empty where the engine does not tell. */
export async function lastLines(
  endpoint: DockerEndpoint,
  container: string,
  ctx: CallContext,
): Promise<readonly string[]> {
  const chunks: Uint8Array[] = [];
  try {
    await readLogs(endpoint, { container, tail: tailLines }, (chunk) => void chunks.push(Uint8Array.from(chunk)), ctx);
  } catch {
    return []; // the failure that they would explain is what counts
  }
  const text = Buffer.concat(chunks).subarray(-tailBytes).toString('utf8');
  return text
    .split(/\r?\n/)
    .filter((line) => line !== '')
    .slice(-tailLines);
}

/** Writes what a container wrote so far. */
export async function readLogs(
  { client }: DockerEndpoint,
  { container, tail }: { readonly container: string; readonly tail?: number },
  sink: OutputSink,
  ctx: CallContext,
): Promise<void> {
  const one = client.getContainer(container);
  const [details, logs] = await askEngine({ doing: 'read the log of the container', resource: container }, ctx, () =>
    Promise.all([
      one.inspect(),
      one.logs({ stdout: true, stderr: true, follow: false, ...(tail === undefined ? {} : { tail }) }),
    ]),
  );
  for (const chunk of details.Config.Tty ? [logs] : payloads(logs)) {
    if (ctx.signal.aborted) return;
    await sink(chunk);
  }
}

/** Splits frames: one byte of the stream's number, three of nothing, four of the length. Source: Docker's API, "attach". */
function* payloads(frames: Buffer): Generator<Uint8Array> {
  let at = 0;
  while (at + 8 <= frames.length) {
    const end = at + 8 + frames.readUInt32BE(at + 4);
    yield frames.subarray(at + 8, end);
    at = end;
  }
}
