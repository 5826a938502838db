import type { CallOptions } from '@connectrpc/connect';
import type { Logger } from '@forgejo-runner/core';
import type { FetchTaskResponse, Task } from '@forgejo-runner/protocol';
import type { ReportChannel } from '../report/report-channel.ts';
import { runnerVersion } from '../runner-version.ts';
import type { TaskMessage } from '../task/task-message.ts';
import { ClockSkew } from './clock-skew.ts';
import { InstanceError } from './failures.ts';
import { type ClientOptions, type InstanceClient, openInstanceClient } from './instance-client.ts';
import { instanceReports } from './instance-reports.ts';
import { ServerFeatures } from './server-features.ts';

/** Who we are on an instance, and how it is asked. */
export interface ConnectionOptions extends Omit<ClientOptions, 'headers' | 'onAnswer'> {
  /** As the configuration calls it. */
  readonly name: string;
  readonly uuid: string;
  readonly token: string;
  readonly fetchTimeoutMs: number;
  /** Of the question that was not answered yet: the same until `answered`. */
  readonly requestKey: { readonly current: () => Promise<string>; readonly answered: () => Promise<void> };
  readonly log: Logger;
}

/** What an instance knows about this runner. */
export interface DeclaredRunner {
  readonly name: string;
  /** Takes one job in its life. */
  readonly ephemeral: boolean;
}

/** A question for work. */
interface WorkQuestion {
  readonly capacity: number;
  /** Labels that have a place. */
  readonly labels: readonly string[];
}

/** An answer with work. */
interface FetchedTasks {
  readonly tasks: readonly TaskMessage[];
  /** To be called when no task can get lost any more; without it, the next question brings them once again. */
  readonly confirm: () => Promise<void>;
}

/** One instance and our identity there. */
export interface InstanceConnection extends Disposable {
  readonly name: string;
  /** Address for messages. */
  readonly url: string;
  /** Asks whether the instance answers at all, without taking work. */
  readonly probe: (signal: AbortSignal) => Promise<void>;
  /** Up to `capacity` tasks that need nothing but these labels. Never more than once at a time. */
  readonly fetchTasks: (question: WorkQuestion, signal: AbortSignal) => Promise<FetchedTasks>;
  /** Tells the instance our labels and version; undefined where it is too old to listen. */
  readonly declare: (labels: readonly string[], signal: AbortSignal) => Promise<DeclaredRunner | undefined>;
  /** Asks for one task, which is that of `handle` where there is one. */
  readonly fetchSingle: (handle: string | undefined, signal: AbortSignal) => Promise<FetchedTasks>;
  readonly reports: ReportChannel;
}

/** Opens a connection; nothing is sent yet. */
export function openConnection(options: ConnectionOptions): InstanceConnection {
  const { name, uuid, token, address, log } = options;
  const skew = new ClockSkew((aheadMs) =>
    log.warn('the clocks of runner and instance differ', {
      connection: name,
      aheadSeconds: Math.round(aheadMs / 1000),
      next: 'set both by NTP',
    }),
  );
  const client = openInstanceClient({
    ...options,
    headers: { 'x-runner-uuid': uuid, 'x-runner-token': token },
    onAnswer: (headers) => skew.see(headers),
  });
  const fetching = new Fetching(client, options);
  return {
    name,
    url: address.shown,
    probe: client.ping,
    declare: (labels, signal) => fetching.declare(labels, signal),
    fetchTasks: (question, signal) => fetching.tasks(question, signal),
    fetchSingle: (handle, signal) => fetching.single(handle, signal),
    reports: instanceReports(client),
    [Symbol.dispose]: () => client[Symbol.dispose](),
  };
}

/** What is remembered from one question for work to the next. */
class Fetching {
  readonly #client: InstanceClient;
  readonly #options: ConnectionOptions;
  readonly #features: ServerFeatures;
  /** Of the last answer; 0 has the server look for work in any case. */
  #tasksVersion = 0n;
  /** Labels that the server has of us; undefined while we do not know. */
  #declared: string | undefined;

  constructor(client: InstanceClient, options: ConnectionOptions) {
    this.#client = client;
    this.#options = options;
    this.#features = new ServerFeatures({ ...options, ping: client.ping });
  }

  async declare(labels: readonly string[], signal: AbortSignal): Promise<DeclaredRunner | undefined> {
    const { runner, ask } = this.#client;
    this.#declared = undefined;
    const request = { version: `v${runnerVersion}`, labels: [...labels] };
    const answer = await this.#features.orOlder('declare', signal, () =>
      ask('Declare', (limits) => runner.declare(request, limits), { signal }),
    );
    this.#declared = keyOf(labels);
    // What waits for a label that is new was no work for us before.
    this.#tasksVersion = 0n;
    if (answer === undefined) return undefined;
    return { name: answer.runner?.name ?? '', ephemeral: answer.runner?.ephemeral ?? false };
  }

  async tasks({ capacity, labels }: WorkQuestion, signal: AbortSignal): Promise<FetchedTasks> {
    // A question for work names no labels: the server goes by those that were declared.
    if (this.#declared !== keyOf(labels)) await this.declare(labels, signal);
    const isSeveral = this.#options.codec === 'json' && capacity > 1;
    return this.#fetch(isSeveral ? { taskCapacity: BigInt(Math.min(capacity, mostTasks)) } : {}, signal);
  }

  async single(handle: string | undefined, signal: AbortSignal): Promise<FetchedTasks> {
    // The question that every server knows.
    if (handle === undefined) return this.#fetch({}, signal);
    const { runner } = this.#client;
    if (this.#options.codec === 'binary') throw withoutNumbers();
    // In any case: a job that is waited for may be older than the last answer.
    const request = { tasksVersion: 0n, handle };
    const answer = await this.#features.orRefused('single-task', signal, () =>
      this.#ask('FetchSingleTask', (limits) => runner.fetchSingleTask(request, limits), signal),
    );
    return this.#fetched(answer, [answer.task]);
  }

  async #fetch(more: { readonly taskCapacity?: bigint }, signal: AbortSignal): Promise<FetchedTasks> {
    const request = { tasksVersion: this.#tasksVersion, ...more };
    const answer = await this.#ask('FetchTask', (limits) => this.#client.runner.fetchTask(request, limits), signal);
    // The first versions with several tasks may leave the first one out.
    return this.#fetched(answer, [answer.task, ...answer.additionalTasks]);
  }

  async #ask<T>(method: string, question: (options: CallOptions) => Promise<T>, signal: AbortSignal): Promise<T> {
    const { requestKey, fetchTimeoutMs: timeoutMs } = this.#options;
    const headers = { 'x-runner-request-key': await requestKey.current() };
    try {
      return await this.#client.ask(method, (limits) => question({ ...limits, headers }), { signal, timeoutMs });
    } catch (error) {
      // The answer may have had tasks: only a look in any case brings them again.
      this.#tasksVersion = 0n;
      throw error;
    }
  }

  #fetched(
    { tasksVersion }: Pick<FetchTaskResponse, 'tasksVersion'>,
    found: readonly (Task | undefined)[],
  ): FetchedTasks {
    const tasks = found.filter((task) => task !== undefined).map(taskMessage);
    // There may be more work where this came from.
    this.#tasksVersion = tasks.length > 0 ? 0n : tasksVersion;
    return { tasks, confirm: () => this.#options.requestKey.answered() };
  }
}

/** Larger than any runner; what is infinite here is no number there. */
const mostTasks = 1000;

function withoutNumbers(): InstanceError {
  return new InstanceError({
    code: 'FRR706',
    message: 'a certain job cannot be asked for with codec binary: the numbers of its fields are not public',
    next: 'leave out codec of the connection, or write json',
    isRefused: true,
  });
}

function keyOf(labels: readonly string[]): string {
  return JSON.stringify(labels.toSorted());
}

function taskMessage(task: Task): TaskMessage {
  const { id, workflowPayload, context, secrets, vars, needs } = task;
  return {
    id,
    secrets,
    vars,
    needs,
    ...(workflowPayload === undefined ? {} : { workflowPayload }),
    ...(context === undefined ? {} : { context }),
  };
}
