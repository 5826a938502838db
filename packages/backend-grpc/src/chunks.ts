/** Cuts a stream into pieces that fit into a message. */
export async function* chunksOf(
  source: AsyncIterable<Uint8Array>,
  limitBytes: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length; at += limitBytes) yield chunk.subarray(at, at + limitBytes);
  }
}
