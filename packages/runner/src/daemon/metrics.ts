import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { AskedQuestion } from '../forgejo/instance-client.ts';
import type { BackendOperation } from './backend-operation.ts';
import type { EndedJob, RunningJob } from './running-jobs.ts';

/** What is counted while a runner runs. */
export interface Metrics {
  readonly registry: Registry;
  readonly asked: (connection: string, asked: AskedQuestion) => void;
  readonly ended: (job: EndedJob) => void;
  /** A question for work that a connection could ask, after it had waited so long for a free place. */
  readonly hadPlace: (connection: string, waitedMs: number) => void;
  readonly operated: (operation: BackendOperation) => void;
  /** Has the numbers of this moment come from here. */
  readonly watch: (now: WatchedRunner) => void;
}

/** Where the numbers of a moment come from. */
export interface WatchedRunner {
  readonly jobs: () => readonly RunningJob[];
  readonly capacity: () => number;
}

const prefix = 'forgejo_runner_';
const jobSeconds = [5, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 10_800];
const shortSeconds = [0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
const requestSeconds = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60];

/** Opens the counters of one runner. No label of a number comes from a workflow, so that there are never many of them. */
export function openMetrics(): Metrics {
  const registry = new Registry();
  const common = { registers: [registry] };
  let watched: WatchedRunner = { jobs: () => [], capacity: () => 0 };
  const jobs = new Counter({
    ...common,
    name: `${prefix}jobs_total`,
    help: 'Jobs that ended, by result and backend',
    labelNames: ['result', 'backend'],
  });
  const durations = new Histogram({
    ...common,
    name: `${prefix}job_duration_seconds`,
    help: 'Time from taking a job to its end, by backend',
    labelNames: ['backend'],
    buckets: jobSeconds,
  });
  const places = new Histogram({
    ...common,
    name: `${prefix}place_wait_seconds`,
    help: 'Time before each question for jobs in which it was not asked because no place was free, by connection',
    labelNames: ['connection'],
    buckets: jobSeconds,
  });
  const setups = new Histogram({
    ...common,
    name: `${prefix}job_setup_seconds`,
    help: 'Time from taking a job to its first step, by backend',
    labelNames: ['backend'],
    buckets: shortSeconds,
  });
  const rows = new Counter({ ...common, name: `${prefix}log_rows_total`, help: 'Rows in the logs of jobs that ended' });
  const bytes = new Counter({
    ...common,
    name: `${prefix}log_bytes_total`,
    help: 'Bytes of the logs of jobs that ended',
  });
  const requests = new Histogram({
    ...common,
    name: `${prefix}api_request_seconds`,
    help: 'Time that questions to instances take, by connection and procedure',
    labelNames: ['connection', 'method'],
    buckets: requestSeconds,
  });
  const errors = new Counter({
    ...common,
    name: `${prefix}api_errors_total`,
    help: 'Questions to instances that failed, by connection, procedure and code of the error',
    labelNames: ['connection', 'method', 'code'],
  });
  const operations = new Histogram({
    ...common,
    name: `${prefix}backend_operation_seconds`,
    help: 'Time that calls of backends take, by backend and method',
    labelNames: ['backend', 'operation'],
    buckets: shortSeconds,
  });
  const failures = new Counter({
    ...common,
    name: `${prefix}backend_errors_total`,
    help: 'Calls of backends that failed, by backend, method and code of the error',
    labelNames: ['backend', 'operation', 'code'],
  });
  gauge('jobs_running', 'Jobs that run, or whose result is on its way', () => watched.jobs().length);
  gauge('capacity', 'Jobs that may run at the same time', () => watched.capacity());
  gauge('spool_rows', 'Rows that instances do not have yet', () =>
    sum(watched.jobs(), ({ reporter }) => reporter.progress().waitingRows),
  );
  gauge('spool_bytes', 'Bytes that the logs of running jobs take on the disk', () =>
    sum(watched.jobs(), ({ reporter }) => reporter.progress().bytes),
  );
  collectDefaultMetrics({ register: registry });

  function gauge(name: string, help: string, value: () => number): void {
    const one: Gauge = new Gauge({
      ...common,
      name: `${prefix}${name}`,
      help,
      collect: () => {
        one.set(value());
      },
    });
  }

  return {
    registry,
    asked: (connection, { method, durationMs, failure }) => {
      requests.observe({ connection, method }, durationMs / 1000);
      if (failure !== undefined) errors.inc({ connection, method, code: failure });
    },
    ended: (job) => {
      const backend = job.backend || 'none';
      jobs.inc({ result: job.result, backend });
      durations.observe({ backend }, job.durationMs / 1000);
      if (job.setupMs !== undefined) setups.observe({ backend }, job.setupMs / 1000);
      rows.inc(job.rows);
      bytes.inc(job.bytes);
    },
    hadPlace: (connection, waitedMs) => places.observe({ connection }, waitedMs / 1000),
    operated: ({ backend, operation, durationMs, failure }) => {
      operations.observe({ backend, operation }, durationMs / 1000);
      if (failure !== undefined) failures.inc({ backend, operation, code: failure });
    },
    watch: (now) => {
      watched = now;
    },
  };
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  let total = 0;
  for (const item of items) total += value(item);
  return total;
}
