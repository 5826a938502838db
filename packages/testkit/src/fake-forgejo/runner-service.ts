import { Code, ConnectError, type ConnectRouter, type HandlerContext } from '@connectrpc/connect';
import { type Timestamp, timestampMs } from '@bufbuild/protobuf/wkt';
import {
  type DeclareRequest,
  type FetchSingleTaskRequest,
  type FetchTaskRequest,
  PingService,
  type RegisterRequest,
  Result,
  RunnerService,
  RunnerStatus,
  type TaskState,
  type UpdateLogRequest,
  type UpdateTaskRequest,
} from '@forgejo-runner/protocol';
import type { JobBoard } from './job-board.ts';
import type { KnownTask, SentState, SentStep, TaskResult } from './known-task.ts';
import type { KnownRunner, RunnerBook } from './runner-book.ts';
import type { ServerFeatures } from './server-features.ts';
import { resultNumbers, type ServerIdentity, taskMessage } from './task-message.ts';

/** What the procedures work on. */
export interface ServiceState {
  readonly runners: RunnerBook;
  readonly board: JobBoard;
  readonly features: () => ServerFeatures;
  readonly identity: () => ServerIdentity;
}

/** Adds the procedures of an instance. */
export function serveRunners(router: ConnectRouter, state: ServiceState): void {
  const { board, runners } = state;
  router.service(PingService, { ping: ({ data }) => ({ data: `Hello, ${data}!` }) });
  router.service(RunnerService, {
    register: (request) => register(request, state),
    declare: (request, context) => declare(request, runnerOf(context, runners), state),
    fetchTask: (request, context) =>
      fetchTask(request, runnerOf(context, runners), requestKeyOf(context, state), state),
    fetchSingleTask: (request, context) =>
      fetchSingleTask(request, runnerOf(context, runners), requestKeyOf(context, state), state),
    updateTask: (request, context) => updateTask(request, runnerOf(context, runners, true), board),
    updateLog: (request, context) => updateLog(request, runnerOf(context, runners, true), board),
  });
}

function runnerOf(context: HandlerContext, runners: RunnerBook, isActive = false): KnownRunner {
  const { requestHeader } = context;
  const runner = runners.authenticate(
    requestHeader.get('x-runner-uuid'),
    requestHeader.get('x-runner-token'),
    isActive,
  );
  if (runner === undefined) throw new ConnectError('unregistered runner', Code.Unauthenticated);
  return runner;
}

function requestKeyOf({ requestHeader }: HandlerContext, { features }: ServiceState): string | undefined {
  const key = requestHeader.get('x-runner-request-key');
  return key === null || key === '' || !features().requestKeys ? undefined : key;
}

function register(request: RegisterRequest, { runners, features }: ServiceState) {
  if (request.token === '' || request.name === '') throw invalid('missing runner token, name');
  const token = runners.tokens.get(request.token);
  if (token === undefined) throw invalid('runner registration token not found');
  if (!token.isActive) {
    throw invalid('runner registration token has been invalidated, please use the latest one');
  }
  const { name, labels, version } = request;
  const ephemeral = features().ephemeral && request.ephemeral;
  return { runner: runnerMessage(runners.add({ name, labels, version, ephemeral, scope: token.scope }), runners) };
}

function declare({ labels, version }: DeclareRequest, runner: KnownRunner, { runners }: ServiceState) {
  runner.labels = labels;
  runner.version = version;
  return { runner: runnerMessage(runner, runners) };
}

const statusNumbers = { idle: RunnerStatus.IDLE, active: RunnerStatus.ACTIVE, offline: RunnerStatus.OFFLINE };

function runnerMessage(runner: KnownRunner, runners: RunnerBook) {
  const { id, uuid, token, name, version, labels, ephemeral } = runner;
  const status = statusNumbers[runners.statusOf(runner)];
  return { id: BigInt(id), uuid, token, name, version, labels: [...labels], ephemeral, status };
}

function fetchTask(
  { tasksVersion, taskCapacity }: FetchTaskRequest,
  runner: KnownRunner,
  requestKey: string | undefined,
  { board, features, identity }: ServiceState,
) {
  const { taskCapacity: knowsCapacity, additionalTasksAlone } = features();
  const message = (task: KnownTask) => taskMessage(task, identity());
  const answer = (tasks: readonly KnownTask[], version: number) => {
    const [task, ...additional] = tasks.map(message);
    if (task === undefined) return { tasksVersion: BigInt(version) };
    if (additionalTasksAlone) return { additionalTasks: [task, ...additional], tasksVersion: BigInt(version) };
    return { task, additionalTasks: additional, tasksVersion: BigInt(version) };
  };
  const recovered = requestKey === undefined ? [] : board.recover(runner, requestKey);
  if (recovered.length > 0) return answer(recovered, 0);
  const version = board.versionFor(runner);
  const tasks: KnownTask[] = [];
  if (tasksVersion !== BigInt(version)) {
    const most = knowsCapacity ? Math.max(1, Number(taskCapacity ?? 1n)) : 1;
    while (tasks.length < most) {
      const task = board.pick(runner, requestKey === undefined ? {} : { requestKey });
      if (task === undefined) break;
      tasks.push(task);
    }
  }
  return answer(tasks, version);
}

function fetchSingleTask(
  { tasksVersion, handle }: FetchSingleTaskRequest,
  runner: KnownRunner,
  requestKey: string | undefined,
  { board, identity }: ServiceState,
) {
  const recovered = requestKey === undefined ? [] : board.recover(runner, requestKey);
  if (recovered.length > 1) {
    throw internal(`cannot recover ${recovered.length} tasks because runner requested only one`);
  }
  const [known] = recovered;
  if (known !== undefined) return { task: taskMessage(known, identity()), tasksVersion: 0n };
  const version = board.versionFor(runner);
  const question = {
    ...(requestKey === undefined ? {} : { requestKey }),
    ...(handle === undefined || handle === '' ? {} : { handle }),
  };
  const task = tasksVersion === BigInt(version) ? undefined : board.pick(runner, question);
  return {
    tasksVersion: BigInt(version),
    ...(task === undefined ? {} : { task: taskMessage(task, identity()) }),
  };
}

function updateTask({ state, outputs }: UpdateTaskRequest, runner: KnownRunner, board: JobBoard) {
  if (state === undefined) throw internal('update task: no state');
  const task = board.task(Number(state.id));
  if (task === undefined) throw internal('update task: resource does not exist');
  if (task.runner !== runner) throw internal('update task: invalid runner for task');
  board.updateTask(task, sentState(state), outputs);
  const result = task.result === undefined ? Result.UNSPECIFIED : resultNumbers[task.result];
  return { state: { id: state.id, result }, sentOutputs: [...task.outputs.keys()] };
}

function updateLog({ taskId, index, rows, noMore }: UpdateLogRequest, runner: KnownRunner, board: JobBoard) {
  const task = board.task(Number(taskId));
  if (task === undefined) throw internal(`get task: task with id ${taskId}: resource does not exist`);
  if (task.runner !== runner) throw internal('invalid runner for task');
  const stored = rows.map(({ time, content }) => ({ atMs: timeOf(time) ?? 0, text: content }));
  const outcome = board.updateLog(task, Number(index), stored, noMore);
  if (outcome.kind === 'archived') throw new ConnectError('log file has been archived', Code.AlreadyExists);
  return { ackIndex: BigInt(outcome.ackIndex) };
}

function sentState({ result, startedAt, stoppedAt, steps }: TaskState): SentState {
  return {
    ...resultAndTimes(result, startedAt, stoppedAt),
    steps: steps.map(
      ({ id, result, startedAt, stoppedAt, logIndex, logLength }): SentStep => ({
        index: Number(id),
        ...resultAndTimes(result, startedAt, stoppedAt),
        logIndex: Number(logIndex),
        logLength: Number(logLength),
      }),
    ),
  };
}

const resultNames: readonly (TaskResult | undefined)[] = [undefined, 'success', 'failure', 'cancelled', 'skipped'];

function resultAndTimes(result: Result, startedAt: Timestamp | undefined, stoppedAt: Timestamp | undefined) {
  const name = resultNames[result];
  const [startedAtMs, stoppedAtMs] = [timeOf(startedAt), timeOf(stoppedAt)];
  return {
    ...(name === undefined ? {} : { result: name }),
    ...(startedAtMs === undefined ? {} : { startedAtMs }),
    ...(stoppedAtMs === undefined ? {} : { stoppedAtMs }),
  };
}

/** Instances take the beginning of 1970 for no time at all. */
function timeOf(time: Timestamp | undefined): number | undefined {
  const ms = time === undefined ? 0 : timestampMs(time);
  return ms === 0 ? undefined : ms;
}

function invalid(message: string): ConnectError {
  return new ConnectError(message, Code.InvalidArgument);
}

function internal(message: string): ConnectError {
  return new ConnectError(message, Code.Internal);
}
