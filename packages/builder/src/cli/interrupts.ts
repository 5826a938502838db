import { killChildren } from '../run-child.ts';
import { exitCodes } from './exit-codes.ts';

/** Signals that ask this process to end, and who answers them. */
export interface Interrupts extends Disposable {
  /** Aborts at the first one. A second one ends the process at once. */
  readonly signal: AbortSignal;
  /** Hands all further ones to somebody else, such as a program in the foreground. */
  readonly handOver: (answer: (name: NodeJS.Signals) => void) => void;
}

const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const sameKeypressMs = 300;

/** Listens until it is disposed. */
export function listenForInterrupts(): Interrupts {
  const interrupt = new AbortController();
  let first: number | undefined;
  let answer = (_name: NodeJS.Signals): void => {
    const now = performance.now();
    // A wrapper may pass on what the terminal sent to us as well: one keypress, two signals.
    if (first !== undefined && now - first > sameKeypressMs) {
      killChildren();
      process.exit(exitCodes.interrupted);
    }
    first ??= now;
    interrupt.abort(new Error('interrupted'));
  };
  const listener = (name: NodeJS.Signals): void => answer(name);
  for (const name of names) process.on(name, listener);
  return {
    signal: interrupt.signal,
    handOver: (other) => {
      answer = other;
    },
    [Symbol.dispose]: () => {
      for (const name of names) process.off(name, listener);
    },
  };
}
