import type { Writable } from 'node:stream';
import { Gate } from './gate.ts';

/**
 * Writes what `source` gives to the standard input of a process, then closes it. A process that does not read, or ends
 * early, only ends the feeding. Rejects with what the source rejects with.
 */
export async function feedInput(
  stdin: Writable,
  source: AsyncIterable<Uint8Array>,
  exited: Promise<unknown>,
): Promise<void> {
  const gone = new Gate();
  const onGone = (): void => gone.open();
  // EPIPE among others: the process closed its input, which is its right.
  stdin.on('error', onGone);
  stdin.on('close', onGone);
  void exited.then(onGone);
  const iterator = source[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await gone.orOpen(iterator.next());
      if (next === undefined) {
        // Not awaited: a generator that waits for its own source answers only after that.
        iterator.return?.().then(undefined, () => {});
        return;
      }
      if (next.done === true) return;
      if (!stdin.write(next.value))
        await gone.orOpen(new Promise<void>((resolve) => void stdin.once('drain', resolve)));
    }
  } finally {
    if (gone.isOpen) stdin.destroy();
    else stdin.end();
  }
}
