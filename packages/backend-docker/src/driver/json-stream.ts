import { LineSplitter } from '@forgejo-runner/kit';

/** A longer message is none that anybody waits for. */
const maxMessageBytes = 1024 * 1024;

/** Reads the messages that an engine writes while it pulls or builds: an object a line. What is none is left out. */
export async function* readMessages(
  stream: AsyncIterable<Uint8Array>,
): AsyncGenerator<Readonly<Record<string, unknown>>> {
  const splitter = new LineSplitter({ limitBytes: maxMessageBytes });
  for await (const chunk of stream) {
    for (const { text } of splitter.push(chunk)) yield* messageOf(text);
  }
  for (const { text } of splitter.end()) yield* messageOf(text);
}

function* messageOf(line: string): Generator<Readonly<Record<string, unknown>>> {
  try {
    const message: unknown = JSON.parse(line);
    // Whatever has no such keys says nothing.
    if (typeof message === 'object' && message !== null) yield message as Readonly<Record<string, unknown>>;
  } catch {
    // An empty line, or a piece of a message that is too long.
  }
}

/** The error that a message is about, if it is about one. */
export function errorIn(message: Readonly<Record<string, unknown>>): string | undefined {
  const { errorDetail, error } = message;
  const detail =
    typeof errorDetail === 'object' && errorDetail !== null && 'message' in errorDetail
      ? errorDetail.message
      : undefined;
  if (typeof detail === 'string' && detail !== '') return detail;
  return typeof error === 'string' && error !== '' ? error : undefined;
}
