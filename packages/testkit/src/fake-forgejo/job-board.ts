import { randomBytes, randomUUID } from 'node:crypto';
import type { ServerClock } from '../server-clock.ts';
import {
  isDone,
  type KnownJob,
  type KnownTask,
  type SentState,
  type StoredStep,
  type TaskResult,
  type TimelineEvent,
} from './known-task.ts';
import type { KnownRunner, RunnerScope } from './runner-book.ts';
import { buildJob, type JobSpec } from './task-builder.ts';
import { TaskLog, type LogOutcome, type StoredRow } from './task-log.ts';

/** When an instance gives up on tasks, in milliseconds. */
export interface ServerTimers {
  /** Nothing was heard of a task. Default 10 minutes. */
  readonly zombieMs: number;
  /** A task runs. Default 3 hours. */
  readonly endlessMs: number;
  /** Nobody took a job. Default 24 hours. */
  readonly abandonedMs: number;
}

export const serverTimers: ServerTimers = { zombieMs: 600_000, endlessMs: 3 * 3_600_000, abandonedMs: 24 * 3_600_000 };

/** What a runner asks for with a task. */
export interface PickQuestion {
  readonly requestKey?: string;
  readonly handle?: string;
}

const outputNameLimit = 255;
const outputValueLimit = 1024 * 1024;

/** Jobs of an instance, and the tasks that runners got. */
export class JobBoard {
  readonly #clock: ServerClock;
  readonly #timers: ServerTimers;
  readonly #versions = new Map<string, number>();
  readonly #jobs: KnownJob[] = [];
  readonly #tasks = new Map<number, KnownTask>();
  readonly #running = new Set<KnownTask>();

  constructor(clock: ServerClock, timers: ServerTimers) {
    this.#clock = clock;
    this.#timers = timers;
  }

  get jobs(): readonly KnownJob[] {
    return this.#jobs;
  }

  add(spec: JobSpec, needs: Readonly<Record<string, KnownJob>>): KnownJob {
    const job: KnownJob = {
      id: this.#jobs.length + 1,
      spec,
      built: buildJob(spec),
      repository: spec.repository ?? 'test/repository',
      needs,
      handle: spec.handle ?? randomUUID(),
      status: 'blocked',
      updatedMs: this.#clock.now(),
    };
    this.#jobs.push(job);
    this.#release(job);
    return job;
  }

  task(id: number): KnownTask | undefined {
    return this.#tasks.get(id);
  }

  /** Rises when jobs begin to wait; never 0, which runners ask with when they want an answer in any case. */
  versionFor({ scope }: KnownRunner): number {
    return this.#versions.get(scope.repository ?? scope.owner ?? '') ?? 1;
  }

  /** Gives the runner the next job that fits. */
  pick(runner: KnownRunner, { requestKey, handle }: PickQuestion): KnownTask | undefined {
    if (runner.ephemeral && [...this.#tasks.values()].some((task) => task.runner === runner)) return undefined;
    const [job] = this.#jobs
      .filter((one) => one.status === 'waiting' && isFor(one, runner) && !this.#isHeldBack(one))
      .filter((one) => handle === undefined || one.handle === handle)
      .toSorted((a, b) => (b.spec.priority ?? 0) - (a.spec.priority ?? 0) || a.updatedMs - b.updatedMs || a.id - b.id);
    if (job === undefined) return undefined;
    const now = this.#clock.now();
    const task: KnownTask = {
      id: this.#tasks.size + 1,
      job,
      runner,
      startedMs: now,
      updatedMs: now,
      token: newToken(),
      log: new TaskLog(),
      outputs: new Map(),
      timeline: [],
      steps: Array.from({ length: job.built.steps ?? 0 }, (_, index) => waitingStep(index)),
      ...(requestKey === undefined ? {} : { requestKey }),
    };
    this.#tasks.set(task.id, task);
    this.#running.add(task);
    job.task = task;
    job.status = 'running';
    job.updatedMs = now;
    this.#note(task, { kind: 'picked', runner: runner.uuid });
    return task;
  }

  /** Tasks that an answer to this key brought before, also when they have ended. They get new tokens. */
  recover(runner: KnownRunner, requestKey: string): readonly KnownTask[] {
    const tasks = [...this.#tasks.values()].filter((task) => task.runner === runner && task.requestKey === requestKey);
    for (const task of tasks) {
      task.token = newToken();
      this.#note(task, { kind: 'recovered', runner: runner.uuid });
    }
    return tasks;
  }

  /** Takes rows. They do not count as a sign of life. */
  updateLog(task: KnownTask, index: number, rows: readonly StoredRow[], noMore: boolean): LogOutcome {
    const outcome = task.log.update(index, rows, noMore);
    this.#note(task, { kind: 'log', index, rows: rows.length, noMore, outcome });
    return outcome;
  }

  /** Takes a state, and outputs also of a task that has ended. */
  updateTask(task: KnownTask, state: SentState, outputs: Readonly<Record<string, string>>): void {
    const isLate = task.result !== undefined;
    this.#note(task, { kind: 'state', state, storedRows: task.log.rows.length, isLate });
    if (!isLate) this.#takeState(task, state);
    for (const [name, value] of Object.entries(outputs)) {
      if (Buffer.byteLength(name) > outputNameLimit || Buffer.byteLength(value) > outputValueLimit) continue;
      if (!task.outputs.has(name)) task.outputs.set(name, value);
    }
    if (!isLate && state.result !== undefined) this.#end(task, state.result, 'runner', state.stoppedAtMs);
  }

  /** Ends a task from outside: steps that did not end get its result. */
  stop(task: KnownTask, result: TaskResult, by: 'person' | 'timer'): void {
    if (task.result !== undefined) return;
    const now = this.#clock.now();
    task.steps = task.steps.map((step) =>
      isDone(step.status) ? step : { ...step, status: result, startedAtMs: step.startedAtMs ?? now, stoppedAtMs: now },
    );
    this.#end(task, result, by, now);
  }

  cancel(job: KnownJob): void {
    if (job.task !== undefined) this.stop(job.task, 'cancelled', 'person');
    else if (!isDone(job.status)) this.#endJob(job, 'cancelled');
  }

  /** Does what the instance does from time to time. */
  runTimers(): void {
    const now = this.#clock.now();
    for (const task of this.#running) {
      const isZombie = now - task.updatedMs > this.#timers.zombieMs;
      if (!isZombie && now - task.startedMs <= this.#timers.endlessMs) continue;
      this.stop(task, 'failure', 'timer');
      task.log.archive();
    }
    for (const job of this.#jobs) {
      const isOpen = job.status === 'waiting' || job.status === 'blocked';
      if (isOpen && now - job.updatedMs > this.#timers.abandonedMs) this.#endJob(job, 'cancelled');
    }
  }

  #takeState(task: KnownTask, state: SentState): void {
    task.updatedMs = this.#clock.now();
    const sent = new Map(state.steps.map((step) => [step.index, step]));
    // Of a workflow that nobody could read the number of steps is not known.
    const known = task.job.built.steps === undefined ? state.steps.map(({ index }) => waitingStep(index)) : task.steps;
    task.steps = known.map((step): StoredStep => {
      const update = sent.get(step.index);
      // A step that ended and is missing in a later state runs again: so do instances.
      if (update === undefined) return step.startedAtMs === undefined ? step : { ...step, status: 'running' };
      const { result, ...rest } = update;
      return { ...rest, status: result ?? (update.startedAtMs === undefined ? step.status : 'running') };
    });
  }

  #end(task: KnownTask, result: TaskResult, by: 'runner' | 'person' | 'timer', atMs: number | undefined): void {
    task.result = result;
    task.stoppedMs = atMs ?? this.#clock.now();
    task.token = '';
    this.#running.delete(task);
    this.#note(task, { kind: 'ended', result, by });
    if (task.runner.ephemeral) task.runner.isDeleted = true;
    this.#endJob(task.job, result);
  }

  #endJob(job: KnownJob, result: TaskResult): void {
    job.status = result;
    job.updatedMs = this.#clock.now();
    for (const other of this.#jobs) if (other.status === 'blocked') this.#release(other);
    // Somebody may have waited for the place in the concurrency group.
    this.#raiseVersions(job.repository);
  }

  /** Lets a job wait for runners once all that it needs is done. */
  #release(job: KnownJob): void {
    const needed = Object.values(job.needs).map(({ status }) => status);
    if (!needed.every(isDone)) return;
    job.updatedMs = this.#clock.now();
    if (needed.every((status) => status === 'success') || job.built.hasCondition) {
      job.status = 'waiting';
      this.#raiseVersions(job.repository);
    } else {
      this.#endJob(job, 'skipped');
    }
  }

  #raiseVersions(repository: string): void {
    const [owner = ''] = repository.split('/');
    for (const scope of ['', owner, repository]) this.#versions.set(scope, (this.#versions.get(scope) ?? 1) + 1);
  }

  #isHeldBack({ spec }: KnownJob): boolean {
    const group = spec.concurrencyGroup;
    if (group === undefined) return false;
    return this.#jobs.some((other) => other.status === 'running' && other.spec.concurrencyGroup === group);
  }

  #note(task: KnownTask, event: DistributiveOmit<TimelineEvent, 'atMs'>): void {
    task.timeline.push({ atMs: this.#clock.now(), ...event });
  }
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

function isFor(job: KnownJob, { labels, scope }: KnownRunner): boolean {
  return job.built.runsOn.every((label) => labels.includes(label)) && isWithin(job.repository, scope);
}

function isWithin(repository: string, { owner, repository: own }: RunnerScope): boolean {
  if (own !== undefined) return own === repository;
  return owner === undefined || repository.startsWith(`${owner}/`);
}

function newToken(): string {
  return randomBytes(20).toString('hex');
}

function waitingStep(index: number): StoredStep {
  return { index, status: 'waiting', logIndex: 0, logLength: 0 };
}
