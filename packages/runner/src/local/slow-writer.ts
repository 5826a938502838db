import type { OutputStream } from '../io.ts';

/** Writes to a stream that may be slow, or may lose its reader. */
export interface SlowWriter extends Disposable {
  /** What it returns is to be awaited before more is written: the reader is behind. */
  readonly write: (text: string) => void | Promise<void>;
}

/** Opens a writer. Once the reader is gone, as after `| head`, what is written goes nowhere. */
export function openSlowWriter(stream: OutputStream): SlowWriter {
  let isGone = false;
  let waiting: PromiseWithResolvers<void> | undefined;
  const go = (): void => {
    waiting?.resolve();
    waiting = undefined;
  };
  const leave = (): void => {
    isGone = true;
    go();
  };
  stream.on('drain', go);
  stream.on('close', leave);
  stream.on('error', leave);
  return {
    write: (text) => {
      if (isGone || text === '') return undefined;
      if (stream.write(text)) return waiting?.promise;
      waiting ??= Promise.withResolvers<void>();
      return waiting.promise;
    },
    [Symbol.dispose]: () => {
      stream.off('drain', go);
      stream.off('close', leave);
      // The listener for errors stays: a late EPIPE has to find one.
      go();
    },
  };
}
