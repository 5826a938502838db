import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Summaries of steps on their way to the server: on the disk, because each may have 1 MiB. */
export class KeptSummaries {
  readonly #folder: string;
  readonly #steps = new Set<number>();
  #writing: Promise<void> = Promise.resolve();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Steps that have one. */
  get steps(): readonly number[] {
    return [...this.#steps].toSorted((a, b) => a - b);
  }

  /** Keeps the last one of each step. `onError` is told when it cannot be written. */
  keep(stepIndex: number, markdown: string, onError: (error: unknown) => void): void {
    this.#steps.add(stepIndex);
    const write = (): Promise<void> => writeFile(this.#file(stepIndex), markdown, { mode: 0o600 });
    this.#writing = this.#writing.then(write).catch(onError);
  }

  /** Finds those that an earlier process kept. */
  async find(): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      const [, index] = /^summary-(\d{1,6})\.md$/.exec(name) ?? [];
      if (index !== undefined) this.#steps.add(Number(index));
    }
  }

  /** Resolves when all are written. */
  async written(): Promise<void> {
    await this.#writing;
  }

  /** The summary of a step; `undefined` where it cannot be read. */
  async read(stepIndex: number): Promise<string | undefined> {
    return readFile(this.#file(stepIndex), 'utf8').catch(() => undefined);
  }

  async remove(): Promise<void> {
    for (const step of this.#steps) await rm(this.#file(step), { force: true });
    this.#steps.clear();
  }

  #file(stepIndex: number): string {
    return join(this.#folder, `summary-${stepIndex}.md`);
  }
}
