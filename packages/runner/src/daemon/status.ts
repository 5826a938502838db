import type { Backend, Logger } from '@forgejo-runner/core';
import { openCall } from '../environment/call-context.ts';
import { listJobs } from '../report/job-history.ts';
import { runnerVersion } from '../runner-version.ts';
import type { InstanceStates } from './instance-states.ts';
import type { RunningJob } from './running-jobs.ts';

/** What the status of a runner is made of. */
export interface StatusSources {
  readonly instances: InstanceStates;
  readonly jobs: () => readonly RunningJob[];
  readonly backends: () => readonly Backend[];
  readonly capacity: () => { readonly used: number; readonly total: number };
  readonly folder: string;
  readonly log: Logger;
}

const recentJobs = 20;
const healthMs = 5000;

/** Everything about this moment, as JSON. Texts are as strangers wrote them; secrets are hidden already. */
export async function readStatus(sources: StatusSources, health: BackendHealths): Promise<object> {
  const running = sources.jobs();
  const ids = new Set(running.map(({ id }) => id));
  const past = (await listJobs(sources.folder)).filter(({ id }) => !ids.has(id)).slice(0, recentJobs);
  return {
    schema: 1,
    version: runnerVersion,
    capacity: sources.capacity(),
    instances: sources.instances.list(),
    backends: await health.read(sources.backends()),
    jobs: running.map(({ reporter, ...job }) => {
      const { startedAtMs, backend, rows, waitingRows, steps } = reporter.progress();
      const step = steps.findLast((one) => one.result === undefined)?.index;
      return { ...job, backend, startedAtMs, rows, waitingRows, ...(step === undefined ? {} : { step: step + 1 }) };
    }),
    recent: past,
  };
}

/** How a backend is, for people. */
interface ShownHealth {
  readonly id: string;
  readonly status: 'ok' | 'degraded' | 'down';
  readonly detail?: string;
}

/** Asks backends how they are, but not each time that somebody looks: what is known is told at once. */
export class BackendHealths {
  readonly #log: Logger;
  #asked: { readonly backends: readonly Backend[]; readonly at: number } | undefined;
  #known: readonly ShownHealth[] | undefined;
  #asking: Promise<readonly ShownHealth[]> = Promise.resolve([]);

  constructor(log: Logger) {
    this.#log = log;
  }

  read(backends: readonly Backend[]): Promise<readonly ShownHealth[]> {
    const isOther = backends.some((one, index) => one !== this.#asked?.backends[index]);
    if (isOther || backends.length !== this.#asked?.backends.length) this.#known = undefined;
    else if (performance.now() - this.#asked.at < 2 * healthMs) return this.#latest();
    this.#asked = { backends, at: performance.now() };
    this.#asking = this.#askAll(backends);
    return this.#latest();
  }

  async #latest(): Promise<readonly ShownHealth[]> {
    return this.#known ?? this.#asking;
  }

  async #askAll(backends: readonly Backend[]): Promise<readonly ShownHealth[]> {
    const asked = this.#asked;
    const found = await Promise.all(backends.map((backend) => this.#ask(backend)));
    if (asked === this.#asked) this.#known = found;
    return found;
  }

  async #ask(backend: Backend): Promise<ShownHealth> {
    const { id } = backend;
    using ctx = openCall({ signal: new AbortController().signal, timeoutMs: healthMs, log: this.#log });
    const late = Promise.withResolvers<never>();
    ctx.signal.addEventListener('abort', () => late.reject(new Error('no answer')), { once: true });
    try {
      const { status, detail } = await Promise.race([backend.health(ctx), late.promise]);
      return { id, status, ...(detail === undefined ? {} : { detail }) };
    } catch (error) {
      return { id, status: 'down', detail: error instanceof Error ? error.message : String(error) };
    }
  }
}
