/** One piece of what a process wrote. Pieces break anywhere. */
export interface OutputPiece {
  readonly source: 'stdout' | 'stderr';
  readonly payload: Uint8Array;
}

const headerBytes = 8;
/** Engines tell of their own failures on a third stream; no more than this is kept of one. */
const failureBytes = 4096;

/**
 * Takes apart the frames in which an engine sends both streams over one connection. Nothing is read before the last
 * piece was taken, and a frame is handed on as it arrives: at no time is more held than what one read gave.
 *
 * A frame is one byte for the stream, three of nothing, four for the length, and the payload. Source: Docker's API,
 * "attach to a container".
 *
 * @throws Error when the connection ends inside a frame, or gives something else than frames.
 */
export async function* demux(stream: AsyncIterable<Uint8Array>): AsyncGenerator<OutputPiece, void, undefined> {
  const header = Buffer.alloc(headerBytes);
  let headerHas = 0;
  let left = 0;
  let failure = '';
  for await (const chunk of stream) {
    let at = 0;
    while (at < chunk.length) {
      if (headerHas < headerBytes) {
        const taken = chunk.subarray(at, at + headerBytes - headerHas);
        header.set(taken, headerHas);
        headerHas += taken.length;
        at += taken.length;
        if (headerHas < headerBytes) break;
        left = header.readUInt32BE(4);
        checkHeader(header);
      }
      const payload = chunk.subarray(at, at + left);
      at += payload.length;
      left -= payload.length;
      const source = header[0];
      if (source === 3) failure = (failure + Buffer.from(payload).toString('utf8')).slice(0, failureBytes);
      else if (payload.length > 0) yield { source: source === 2 ? 'stderr' : 'stdout', payload };
      if (left === 0) headerHas = 0;
    }
  }
  if (failure !== '') throw new Error(`the engine says "${failure.trim()}"`);
  if (headerHas > 0) throw new Error('the connection ended in the middle of the output');
}

/** 0 is standard input, which engines use for standard output of a terminal's kind. */
function checkHeader(header: Buffer): void {
  const [source = 0, ...rest] = header.subarray(0, 4);
  if (source <= 3 && rest.every((byte) => byte === 0)) return;
  throw new Error(`expected the output of a process in frames, found ${header.toString('hex')}`);
}
