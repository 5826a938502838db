import { constants } from 'node:os';

/**
 * What the process answers with. The Go runner knows 0, 1 and, for `one-job` without a task, 2: those keep their
 * meaning. The others follow sysexits and the shells.
 */
export const exitCodes = {
  success: 0,
  /** A job failed, a file is not valid, or the command could not do what it was asked for. */
  failure: 1,
  /** `one-job` found none. */
  noJob: 2,
  /** The command line is wrong. */
  usage: 64,
  /** A defect of the runner. */
  defect: 70,
} as const;

/** What a shell shows for a process that a signal ended: 130 for SIGINT, 143 for SIGTERM. */
export function exitCodeOfSignal(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}
