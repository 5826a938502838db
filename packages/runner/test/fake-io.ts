import { PassThrough, Writable } from 'node:stream';
import type { Io } from '../src/io.ts';

/** What a command wrote, and the ends of {@link Io} that a test holds. */
export interface FakeIo {
  readonly io: Io;
  readonly stdin: PassThrough;
  readonly interrupt: AbortController;
  readonly hurry: AbortController;
  /** Sends SIGHUP. @returns whether somebody listened. */
  readonly hangUp: () => boolean;
  readonly stdout: () => string;
  readonly stderr: () => string;
}

/** An {@link Io} in memory. */
export function fakeIo(given: Partial<Pick<Io, 'env' | 'cwd'>> = {}): FakeIo {
  const stdin = new PassThrough();
  const interrupt = new AbortController();
  const hurry = new AbortController();
  const out = collector();
  const err = collector();
  const hangUps = new Set<() => void>();
  const io = {
    onHangUp: (listener: () => void): Disposable => {
      hangUps.add(listener);
      return { [Symbol.dispose]: () => void hangUps.delete(listener) };
    },
    stdin,
    stdout: out.stream,
    stderr: err.stream,
    env: given.env ?? {},
    cwd: given.cwd ?? process.cwd(),
    signal: interrupt.signal,
    hurry: hurry.signal,
  };
  const hangUp = (): boolean => {
    for (const listener of hangUps) listener();
    return hangUps.size > 0;
  };
  return { io, stdin, interrupt, hurry, hangUp, stdout: out.text, stderr: err.text };
}

function collector(): { readonly stream: Writable; readonly text: () => string } {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      chunks.push(chunk);
      done();
    },
  });
  return { stream, text: () => Buffer.concat(chunks).toString('utf8') };
}
