import type { RemoveReport } from '@forgejo-runner/core';

/** The environments of this process that have objects in an engine. */
export class LivingEnvironments {
  readonly #living = new Set<string>();
  readonly #leaked = new Set<string>();

  /** False where there is one of that name already. */
  add(name: string): boolean {
    if (this.#living.has(name)) return false;
    this.#living.add(name);
    this.#leaked.delete(name);
    return true;
  }

  /** What a removal left is for the next sweep. */
  removed(name: string, { leaked }: Pick<RemoveReport, 'leaked'>): void {
    this.#living.delete(name);
    if (leaked.length > 0) this.#leaked.add(name);
    else this.#leaked.delete(name);
  }

  /** An environment of this very process that is over, and left something. */
  isLeaked(name: string): boolean {
    return this.#leaked.has(name) && !this.#living.has(name);
  }
}

/** All of this process: a backend and the driver may work on one engine, and must not sweep each other's. */
export const livingEnvironments: LivingEnvironments = new LivingEnvironments();
