import { randomUUID } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';

/**
 * The key of a question for tasks, kept until the question is answered: a server that gave tasks to an answer that got
 * lost gives them again to the same key. It is kept in a file, so that a killed runner asks again after its next start.
 *
 * Source: Forgejo 15, header `x-runner-request-key`.
 */
export class RequestKey {
  readonly #path: string | undefined;
  #key: string | undefined;
  #wasRead = false;

  /** Without a path it is kept in memory. */
  constructor(path?: string) {
    this.#path = path;
  }

  /** The key of the question that was not answered yet, or a new one, which is on disk before it is used. */
  async current(): Promise<string> {
    this.#key ??= await this.#readOnce();
    if (this.#key !== undefined) return this.#key;
    const key = randomUUID();
    if (this.#path !== undefined) {
      // In one piece: half a key would be another key.
      await writeFile(`${this.#path}.new`, key, { mode: 0o600 });
      await rename(`${this.#path}.new`, this.#path);
    }
    this.#key = key;
    return key;
  }

  /** An answer came and what it brought is safe: the next question gets a new key. */
  async answered(): Promise<void> {
    this.#key = undefined;
    this.#wasRead = true;
    if (this.#path !== undefined) await rm(this.#path, { force: true });
  }

  async #readOnce(): Promise<string | undefined> {
    if (this.#wasRead || this.#path === undefined) return undefined;
    this.#wasRead = true;
    try {
      const text = await readFile(this.#path, 'utf8');
      return /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/.test(text) ? text : undefined;
    } catch {
      // Most often there is none; one that cannot be read is as good as none.
      return undefined;
    }
  }
}
