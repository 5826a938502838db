import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { Result } from '@forgejo-runner/protocol';
import type { JobResult } from '../report/job-report.ts';
import {
  type ReportChannel,
  ReportFailure,
  type ReportFailureKind,
  type StepState,
  type TaskState,
} from '../report/report-channel.ts';
import { InstanceError, type InstanceFailure } from './failures.ts';
import type { InstanceClient } from './instance-client.ts';

/** The reports of jobs to one instance. */
export function instanceReports({ runner, ask }: Pick<InstanceClient, 'runner' | 'ask'>): ReportChannel {
  return {
    updateLog: async ({ taskId, index, rows, noMore }, signal) => {
      const request = {
        taskId: BigInt(taskId),
        index: BigInt(index),
        rows: rows.map(({ atMs, text }) => ({ time: timestampFromMs(atMs), content: text })),
        noMore,
      };
      const { ackIndex } = await reported(ask('UpdateLog', (limits) => runner.updateLog(request, limits), { signal }));
      return { ackIndex: Number(ackIndex) };
    },
    updateTask: async ({ state, outputs }, signal) => {
      // Names of outputs come from workflows: `__proto__` is one like any other.
      const request = { state: stateMessage(state), outputs: Object.fromEntries(outputs) };
      const answer = await reported(ask('UpdateTask', (limits) => runner.updateTask(request, limits), { signal }));
      const result = jobResults[answer.state?.result ?? Result.UNSPECIFIED];
      return { sentOutputs: answer.sentOutputs, ...(result === undefined ? {} : { result }) };
    },
  };
}

const results: Readonly<Record<JobResult, Result>> = {
  success: Result.SUCCESS,
  failure: Result.FAILURE,
  cancelled: Result.CANCELLED,
  skipped: Result.SKIPPED,
};

const jobResults: Readonly<Partial<Record<Result, JobResult>>> = {
  [Result.SUCCESS]: 'success',
  [Result.FAILURE]: 'failure',
  [Result.CANCELLED]: 'cancelled',
  [Result.SKIPPED]: 'skipped',
};

function stateMessage({ taskId, result, startedAtMs, stoppedAtMs, steps }: TaskState) {
  return {
    id: BigInt(taskId),
    result: result === undefined ? Result.UNSPECIFIED : results[result],
    ...times({ startedAtMs, ...(stoppedAtMs === undefined ? {} : { stoppedAtMs }) }),
    steps: steps.map(stepMessage),
  };
}

function stepMessage({ index, result, logIndex, logLength, ...rest }: StepState) {
  return {
    id: BigInt(index),
    result: result === undefined ? Result.UNSPECIFIED : results[result],
    ...times(rest),
    logIndex: BigInt(logIndex),
    logLength: BigInt(logLength),
  };
}

function times({ startedAtMs, stoppedAtMs }: { readonly startedAtMs?: number; readonly stoppedAtMs?: number }) {
  return {
    ...(startedAtMs === undefined ? {} : { startedAt: timestampFromMs(startedAtMs) }),
    ...(stoppedAtMs === undefined ? {} : { stoppedAt: timestampFromMs(stoppedAtMs) }),
  };
}

async function reported<T>(asking: Promise<T>): Promise<T> {
  try {
    return await asking;
  } catch (error) {
    if (!(error instanceof InstanceError)) throw error;
    const { failure } = error;
    throw new ReportFailure(kindOf(failure), failure.message, {
      ...(failure.retryAfterMs === undefined ? {} : { retryAfterMs: failure.retryAfterMs }),
      cause: error,
    });
  }
}

/**
 * What a failure means for the report that met it. Forgejo answers `internal` to nearly everything, so that words have to
 * tell a task that is gone from a database that is locked.
 */
function kindOf({ code, status, message }: InstanceFailure): ReportFailureKind {
  // Half an answer, or that of somebody on the way: Connect says the same of it as a server that refuses a request.
  if (code === 'FRR704') return 'retry';
  if (status === 'already_exists') return 'archived';
  if (status === 'not_found' || code === 'FRR702') return 'gone';
  if (status === 'internal' && /(?:does not|not) exist|invalid runner/i.test(message)) return 'gone';
  if (status === 'invalid_argument' || /HTTP 413/.test(message)) return 'refused';
  return 'retry';
}
