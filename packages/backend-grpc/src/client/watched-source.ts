/**
 * The same stream, with its own failures told to `onFailure`: what ends its reading from the outside, such as an answer that
 * came early, is none of them.
 */
export function watchedSource<T>(
  source: AsyncIterable<T>,
  onFailure: (error: unknown) => void,
): AsyncIterable<T, void, undefined> {
  return {
    [Symbol.asyncIterator]: () => {
      const inner = source[Symbol.asyncIterator]();
      return {
        next: async () => {
          try {
            const next = await inner.next();
            return next.done === true ? { done: true, value: undefined } : next;
          } catch (error) {
            onFailure(error);
            throw error;
          }
        },
        return: async () => {
          await inner.return?.();
          return { done: true, value: undefined };
        },
      };
    },
  };
}
