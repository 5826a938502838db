import type { BackendEvent, CallContext, Logger } from '@forgejo-runner/core';
import { type Capture, captureOutput } from './capture.ts';

/** One entry of the process log. */
export interface LogEntry {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields?: object;
}

/** A call context whose every side is kept. */
export interface TestContext extends CallContext {
  readonly logged: readonly LogEntry[];
  readonly events: readonly BackendEvent[];
  readonly progressed: Capture;
}

/** Makes the context of one call across the backend contract. Without `signal` it never aborts. */
export function callContext(signal: AbortSignal = new AbortController().signal): TestContext {
  const logged: LogEntry[] = [];
  const events: BackendEvent[] = [];
  const progressed = captureOutput();
  const log =
    (level: LogEntry['level']): Logger['info'] =>
    (message, fields) =>
      void logged.push(fields === undefined ? { level, message } : { level, message, fields });
  return {
    signal,
    deadline: Date.now() + 3_600_000,
    log: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
    progress: progressed.sink,
    emit: (event) => void events.push(event),
    logged,
    events,
    progressed,
  };
}
