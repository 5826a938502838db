import type { JobResult, LogRow } from '../src/report/job-report.ts';
import { type LogUpdate, type ReportChannel, ReportFailure, type TaskState } from '../src/report/report-channel.ts';

/** One request, with what the server made of it. */
export type ChannelCall =
  | { readonly kind: 'log'; readonly index: number; readonly rows: number; readonly noMore: boolean }
  | { readonly kind: 'task'; readonly state: TaskState; readonly outputs: readonly string[] }
  | { readonly kind: 'summary'; readonly stepIndex: number; readonly markdown: string };

/** What goes wrong with a request: before the server sees it, or after it did what it was asked for. */
export type ChannelFault = 'before' | 'after' | undefined;

/** A server for one task that does what Forgejo does, without a network. */
export interface FakeChannel extends ReportChannel {
  readonly calls: ChannelCall[];
  readonly rows: LogRow[];
  readonly outputs: Map<string, string>;
  readonly texts: () => readonly string[];
  /** States that it took, as long as the task was not done. */
  readonly state: () => TaskState | undefined;
  readonly isArchived: () => boolean;
  /** Requests that were on their way at once, at most. */
  readonly mostAtOnce: () => number;
  /** Ends the task, as people and timers do. */
  readonly end: (result: JobResult) => void;
  /** Forgets rows, as a server that was restored from a backup. */
  readonly forget: (rows: number) => void;
  /** Asked before each request. It may throw what the request is to reject with. */
  fault: (call: ChannelCall) => ChannelFault;
}

/** A task that just began. */
export function fakeChannel(options: { readonly summaries?: boolean } = {}): FakeChannel {
  let state: TaskState | undefined;
  let result: JobResult | undefined;
  let isArchived = false;
  let atOnce = 0;
  let mostAtOnce = 0;
  const rows: LogRow[] = [];
  const outputs = new Map<string, string>();

  const request = async <T>(call: ChannelCall, signal: AbortSignal, answer: () => T): Promise<T> => {
    signal.throwIfAborted();
    atOnce += 1;
    mostAtOnce = Math.max(mostAtOnce, atOnce);
    try {
      await new Promise(setImmediate);
      channel.calls.push(call);
      const fault = channel.fault(call);
      if (fault === 'before') throw new Error('connection refused');
      const answered = answer();
      if (fault === 'after') throw new Error('connection reset');
      return answered;
    } finally {
      atOnce -= 1;
    }
  };

  const updateLog = ({ index, rows: sent, noMore }: LogUpdate): { ackIndex: number } => {
    if (isArchived) throw new ReportFailure('archived', 'log is archived');
    const ack = rows.length;
    if (sent.length === 0 || index > ack || index + sent.length <= ack) return { ackIndex: ack };
    rows.push(...sent.slice(ack - index));
    if (noMore) isArchived = true;
    return { ackIndex: rows.length };
  };

  const channel: FakeChannel = {
    calls: [],
    rows,
    outputs,
    texts: () => rows.map(({ text }) => text),
    state: () => state,
    isArchived: () => isArchived,
    mostAtOnce: () => mostAtOnce,
    end: (ended) => {
      result ??= ended;
    },
    forget: (count) => rows.splice(rows.length - count),
    fault: () => undefined,
    updateLog: (update, signal) => {
      const { index, noMore } = update;
      return request({ kind: 'log', index, rows: update.rows.length, noMore }, signal, () => updateLog(update));
    },
    updateTask: (update, signal) =>
      request({ kind: 'task', state: update.state, outputs: [...update.outputs.keys()] }, signal, () => {
        for (const [name, value] of update.outputs) if (!outputs.has(name)) outputs.set(name, value);
        if (result === undefined) {
          state = update.state;
          result = update.state.result;
        }
        const sentOutputs = [...outputs.keys()];
        return result === undefined ? { sentOutputs } : { result, sentOutputs };
      }),
  };
  if (options.summaries !== true) return channel;
  const withSummaries: FakeChannel = {
    ...channel,
    updateSummary: (summary, signal) => request({ kind: 'summary', ...summary }, signal, () => undefined),
  };
  // Its faults are set on what is handed out.
  Object.defineProperty(channel, 'fault', { get: () => withSummaries.fault });
  return withSummaries;
}
