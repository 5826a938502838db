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

/** Asks backends how they are, but not each time that somebody looks. */
export class BackendHealths {
  readonly #log: Logger;
  #askedAt = Number.NEGATIVE_INFINITY;
  #last: Promise<readonly ShownHealth[]> = Promise.resolve([]);

  constructor(log: Logger) {
    this.#log = log;
  }

  read(backends: readonly Backend[]): Promise<readonly ShownHealth[]> {
    if (performance.now() - this.#askedAt > 2 * healthMs) {
      this.#askedAt = performance.now();
      this.#last = Promise.all(backends.map((backend) => this.#ask(backend)));
    }
    return this.#last;
  }

  async #ask(backend: Backend): Promise<ShownHealth> {
    const { id } = backend;
    const limit = AbortSignal.timeout(healthMs);
    using ctx = openCall({ signal: limit, timeoutMs: healthMs, log: this.#log });
    const late = Promise.withResolvers<never>();
    limit.addEventListener('abort', () => late.reject(new Error('no answer')), { once: true });
    try {
      const { status, detail } = await Promise.race([backend.health(ctx), late.promise]);
      return { id, status, ...(detail === undefined ? {} : { detail }) };
    } catch (error) {
      return { id, status: 'down', detail: error instanceof Error ? error.message : String(error) };
    }
  }
}
