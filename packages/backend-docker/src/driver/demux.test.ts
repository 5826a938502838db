import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { demux, type OutputPiece } from './demux.ts';

function frame(source: number, payload: Uint8Array | string): Buffer {
  const body = Buffer.from(payload);
  const header = Buffer.alloc(8);
  header[0] = source;
  header.writeUInt32BE(body.length, 4);
  return Buffer.concat([header, body]);
}

async function* chunks(...parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts;
}

async function pieces(...parts: readonly Uint8Array[]): Promise<OutputPiece[]> {
  const found: OutputPiece[] = [];
  for await (const piece of demux(chunks(...parts))) found.push(piece);
  return found;
}

function joined(found: readonly OutputPiece[], source: OutputPiece['source']): Buffer {
  return Buffer.concat(found.filter((piece) => piece.source === source).map(({ payload }) => payload));
}

describe('demux', () => {
  it('tells the streams apart', async () => {
    const found = await pieces(Buffer.concat([frame(1, 'out'), frame(2, 'err'), frame(1, 'more')]));
    expect(found.map(({ source, payload }) => [source, Buffer.from(payload).toString()])).toEqual([
      ['stdout', 'out'],
      ['stderr', 'err'],
      ['stdout', 'more'],
    ]);
  });

  it('gives every byte of each stream in order, however the connection cuts them', async () => {
    const frames = fc.array(fc.tuple(fc.constantFrom(1, 2), fc.uint8Array({ maxLength: 40 })), { maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(frames, fc.array(fc.nat(30), { maxLength: 60 }), async (all, cuts) => {
        const bytes = Buffer.concat(all.map(([source, payload]) => frame(source, payload)));
        const parts: Buffer[] = [];
        let at = 0;
        for (const cut of cuts) {
          parts.push(bytes.subarray(at, at + cut));
          at += cut;
        }
        const found = await pieces(...parts, bytes.subarray(at));
        for (const [source, name] of [
          [1, 'stdout'],
          [2, 'stderr'],
        ] as const) {
          const sent = Buffer.concat(all.filter(([one]) => one === source).map(([, payload]) => payload));
          expect(joined(found, name).equals(sent)).toBe(true);
        }
      }),
    );
  });

  it('hands a frame on before all of it is there', async () => {
    const whole = frame(1, 'x'.repeat(100));
    const reading = demux(
      (async function* () {
        yield whole.subarray(0, 50);
        throw new Error('read on before the first piece was taken');
      })(),
    );
    expect((await reading.next()).value?.payload).toHaveLength(42);
  });

  it.each([
    ['a header', frame(1, 'out').subarray(0, 5)],
    ['a payload', frame(1, 'out').subarray(0, 10)],
  ])('rejects when the connection ends inside %s', async (_, bytes) => {
    await expect(pieces(bytes)).rejects.toThrow('ended in the middle');
  });

  it('rejects what is not made of frames', async () => {
    await expect(pieces(Buffer.from('HTTP/1.1 400 Bad Request'))).rejects.toThrow('found 485454502f312e31');
  });

  it('rejects with what the engine says on its own stream', async () => {
    await expect(pieces(frame(1, 'out'), frame(3, 'the disk is gone\n'))).rejects.toThrow(
      'the engine says "the disk is gone"',
    );
  });
});
