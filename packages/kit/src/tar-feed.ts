import { BackendError, isBackendError } from '@forgejo-runner/core';
import type { Extract } from 'tar-stream';
import { Gate } from './gate.ts';

const endMarkerBytes = 1024;

/** Ends the reading of an archive, and remembers why. */
export interface Stop {
  readonly because: (error: unknown) => void;
  failure: { readonly error: unknown } | undefined;
}

/** Stream, archive and signal can each end the work; ending it makes the others fail too, so the first one counts. */
export function firstFailure(reader: Extract): Stop {
  const stop: Stop = {
    failure: undefined,
    because: (error) => {
      stop.failure ??= { error };
      // With an error: a reader that is destroyed without one never answers its iterator again.
      reader.destroy(error instanceof Error ? error : new Error(String(error)));
    },
  };
  reader.on('error', (error) => stop.because(error));
  return stop;
}

/** Hands the stream to the reader, as fast as the reader takes it, and stops when the reader is gone. */
export async function feedArchive(tar: AsyncIterable<Uint8Array>, reader: Extract, stop: Stop): Promise<void> {
  const closed = new Gate();
  reader.once('close', () => closed.open());
  const tail = new EndMarker();
  try {
    const iterator = tar[Symbol.asyncIterator]();
    for (;;) {
      const next = await closed.orOpen(iterator.next());
      if (next === undefined) {
        // Not awaited: a generator that waits for its own source answers only after that.
        iterator.return?.().then(undefined, () => {});
        return;
      }
      if (next.done === true) break;
      tail.take(next.value);
      const isFull = !reader.write(next.value);
      if (isFull) await closed.orOpen(new Promise<void>((resolve) => void reader.once('drain', resolve)));
    }
    if (!tail.isComplete) throw damaged('it ends early');
    reader.end(null);
  } catch (error) {
    stop.because(error);
  }
}

/** Two blocks of zeros end an archive. Without them the stream was cut, perhaps between two entries. */
class EndMarker {
  #zeros = 0;

  take(chunk: Uint8Array): void {
    let at = chunk.length;
    while (at > 0 && chunk.length - at < endMarkerBytes && chunk[at - 1] === 0) at--;
    this.#zeros = at === 0 ? this.#zeros + chunk.length : chunk.length - at;
  }

  get isComplete(): boolean {
    return this.#zeros >= endMarkerBytes;
  }
}

function damaged(found: string): BackendError {
  return new BackendError('plan', `expected a tar archive, found a damaged one: ${found}`, { hint: 'pack it again' });
}

/** What the reader found wrong with the archive, in the words of the contract. */
export function archiveError(error: unknown): unknown {
  if (isBackendError(error) || !(error instanceof Error)) return error;
  const isTarStreams = /^(?:Unexpected end of data|Invalid (?:tar )?header|Header exceeds max size)/.test(
    error.message,
  );
  return isTarStreams ? damaged(error.message) : error;
}
