import {
  type Backend,
  type CallContext,
  formatLabel,
  type LabelConfiguration,
  parseLabel,
  type ResolvedLabel,
} from '@forgejo-runner/core';

/** Labels that runners asked about. What a runner keeps of one is its one spelling, which a server started anew reads. */
export class ServedLabels {
  readonly #backend: Backend;
  readonly #known = new Map<string, ResolvedLabel>();

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  /** @throws BackendError `label`. */
  async resolve(label: Omit<LabelConfiguration, 'backend'>, ctx: CallContext): Promise<ResolvedLabel> {
    const own = { ...label, backend: this.#backend.id };
    const resolved = await this.#backend.resolveLabel(own, ctx);
    // Bounded: whoever asks about many labels has the later ones read again.
    if (this.#known.size < 10_000) this.#known.set(resolved.canonical, resolved);
    return resolved;
  }

  /** The label whose canonical form a runner has. @throws BackendError `label`. */
  async recall(canonical: string, ctx: CallContext): Promise<ResolvedLabel> {
    return this.#known.get(canonical) ?? this.resolve(parseLabel(canonical), ctx);
  }

  /** The label of a runner that has options and no label of its own. */
  async ofOptions(options: Readonly<Record<string, string>>, ctx: CallContext): Promise<ResolvedLabel> {
    const label = { name: 'job', backend: this.#backend.id, options, form: 'string' } as const;
    return this.#known.get(formatLabel(label)) ?? this.resolve(label, ctx);
  }
}
