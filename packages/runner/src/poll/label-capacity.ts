import { onceDisposed } from './capacity.ts';

/** What a connection may ask for while labels have limits. */
export interface OpenLabels {
  /** Labels that have a place, in their order. */
  readonly labels: readonly string[];
  /** So many jobs at once pass no limit, whichever labels they ask for; infinite where no label has one. */
  readonly most: number;
}

/** How many jobs may run at once for a label. A server is asked for nothing that it would have to hold back. */
export class LabelCapacity {
  #limits: ReadonlyMap<string, number>;
  readonly #used = new Map<string, number>();

  /** Labels that are not named have no limit of their own. */
  constructor(limits: ReadonlyMap<string, number>) {
    this.#limits = limits;
  }

  /** From now on these limits. Jobs that run go on. */
  resize(limits: ReadonlyMap<string, number>): void {
    this.#limits = limits;
  }

  open(labels: readonly string[]): OpenLabels {
    const free = (label: string): number =>
      (this.#limits.get(label) ?? Number.POSITIVE_INFINITY) - (this.#used.get(label) ?? 0);
    const open = labels.filter((label) => free(label) > 0);
    return { labels: open, most: Math.min(Number.POSITIVE_INFINITY, ...open.map(free)) };
  }

  /** Counts a job for every label that it asks for, until it is disposed. */
  occupy(labels: readonly string[]): Disposable {
    const counted = new Set(labels);
    for (const label of counted) this.#add(label, 1);
    return onceDisposed(() => {
      for (const label of counted) this.#add(label, -1);
    });
  }

  #add(label: string, count: number): void {
    const used = (this.#used.get(label) ?? 0) + count;
    if (used > 0) this.#used.set(label, used);
    else this.#used.delete(label);
  }
}
