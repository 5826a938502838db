import type { OutputSink } from '@forgejo-runner/core';
import { MessageQueue } from '../message-queue.ts';

/** Work that prints as it goes: first its output, then its result. */
export interface Progress<T> {
  readonly output: AsyncIterable<Uint8Array, void, undefined>;
  readonly result: Promise<T>;
}

/** Starts work at once, with a sink that waits until its output was sent. */
export function followProgress<T>(work: (sink: OutputSink) => Promise<T>): Progress<T> {
  const output = new MessageQueue<Uint8Array>();
  const result = work((chunk) => output.push(chunk.slice()));
  result.then(output.close, output.close);
  return { output, result };
}
