import type { OutputSink } from '@forgejo-runner/core';

/** One message of an engine that pulls an image. */
export interface PullEvent {
  readonly status?: string;
  readonly id?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
}

/** A line now and then says enough, and keeps the log of a job short. */
const sayEveryMs = 5000;
/** More layers than an image can have. */
const maxLayers = 1000;

interface Layer {
  isDone: boolean;
  current: number;
  total: number;
}

/** Tells the reader of a job log how far a pull is, a line every few seconds. */
export class PullProgress {
  readonly #sink: OutputSink;
  readonly #now: () => number;
  readonly #layers = new Map<string, Layer>();
  #saidAtMs: number;
  #saidText = '';

  constructor(sink: OutputSink, now: () => number = () => performance.now()) {
    this.#sink = sink;
    this.#now = now;
    this.#saidAtMs = now();
  }

  async take({ status = '', id = '', progressDetail }: PullEvent): Promise<void> {
    if (!isOfLayer(status) || (!this.#layers.has(id) && this.#layers.size >= maxLayers)) return;
    const layer = this.#layers.get(id) ?? { isDone: false, current: 0, total: 0 };
    this.#layers.set(id, layer);
    if (/^(?:Pull complete|Already exists|Download complete)/.test(status))
      layer.isDone = !status.startsWith('Download');
    if (status.startsWith('Downloading')) {
      layer.current = amount(progressDetail?.current);
      layer.total = amount(progressDetail?.total);
    } else if (layer.total > 0) layer.current = layer.total;
    if (this.#now() - this.#saidAtMs < sayEveryMs) return;
    this.#saidAtMs = this.#now();
    const text = this.#text();
    if (text === this.#saidText) return;
    this.#saidText = text;
    await this.#sink(Buffer.from(`  ${text}\n`));
  }

  #text(): string {
    const layers = [...this.#layers.values()];
    const done = layers.filter(({ isDone }) => isDone).length;
    const sum = (key: 'current' | 'total'): number => layers.reduce((total, layer) => total + layer[key], 0);
    const bytes = sum('total') === 0 ? '' : `, ${megabytes(sum('current'))} of ${megabytes(sum('total'))} MB`;
    return `${done} of ${layers.length} layers${bytes}`;
  }
}

/** Engines tell of the image in the same words, but without these. */
function isOfLayer(status: string): boolean {
  return /^(?:Pulling fs layer|Waiting|Downloading|Verifying Checksum|Download complete|Extracting|Pull complete|Already exists)/.test(
    status,
  );
}

function amount(value: number | undefined): number {
  return typeof value === 'number' && value > 0 ? value : 0;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
