import type { BuildInfo } from './build-info.ts';
import { exitCodeOfSignal } from './cli/exit-codes.ts';
import { Interruption, type OutputStream } from './io.ts';
import { type ImportedBackends, main } from './main.ts';

export type { BuildInfo, BuiltDistribution, BuiltPackage } from './build-info.ts';
export type { ImportedBackends } from './main.ts';

/** What a generated entry tells the runner. */
export interface RunOptions {
  /** What the runner was built from; absent where it was put together by hand. */
  readonly buildInfo?: BuildInfo;
  /** Imports the backends, each of which registers itself. Called once, by commands that need them. */
  readonly importBackends?: () => Promise<ImportedBackends>;
  /** Stops keeping signals, and hands over those that came while this module was loaded. */
  readonly takeEarlySignals?: () => readonly NodeJS.Signals[];
}

/**
 * Runs the runner on the command line of this process. An entry imports the backends that the runner shall have, each
 * of which registers itself, and then calls this. Or it hands `importBackends` over, so that commands that need no
 * backend do not wait for one.
 *
 * ```ts
 * import '@forgejo-runner/backend-host';
 * import { run } from '@forgejo-runner/runner';
 *
 * await run(process.argv);
 * ```
 *
 * Resolves when the command has ended and its output was taken, with `process.exitCode` set. The first SIGINT, SIGTERM
 * or SIGHUP asks the command to finish in good order, the second to hurry, the third ends the process. A daemon reads its
 * configuration again at SIGHUP.
 */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<void> {
  const interrupt = new AbortController();
  const hurry = new AbortController();
  const hangUps = new Set<() => void>();
  const onSignal = (signal: NodeJS.Signals): void => {
    if (signal === 'SIGHUP' && hangUps.size > 0) {
      for (const listener of hangUps) listener();
      return;
    }
    if (hurry.signal.aborted) process.exit(exitCodeOfSignal(signal));
    (interrupt.signal.aborted ? hurry : interrupt).abort(new Interruption(signal));
  };
  // A reader that went away, as in `exec | head`, ends a program by SIGPIPE everywhere else.
  const onPipeError = (error: NodeJS.ErrnoException): void => {
    if (error.code !== 'EPIPE') throw error;
    if (!interrupt.signal.aborted) interrupt.abort(new Interruption('SIGPIPE'));
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, onSignal);
  for (const signal of options.takeEarlySignals?.() ?? []) onSignal(signal);
  for (const stream of [process.stdout, process.stderr]) stream.on('error', onPipeError);
  const { stdin, stdout, stderr, env } = process;
  const onHangUp = (listener: () => void): Disposable => {
    hangUps.add(listener);
    return { [Symbol.dispose]: () => void hangUps.delete(listener) };
  };
  const ends = { signal: interrupt.signal, hurry: hurry.signal, onHangUp };
  const io = { stdin, stdout, stderr, env, cwd: process.cwd(), ...ends };
  process.exitCode = await main(argv.slice(2), io, options);
  await Promise.all([flushed(stdout), flushed(stderr)]);
  for (const signal of signals) process.off(signal, onSignal);
}

/** A pipe takes what was written later than `write` returns, and a process that ends first loses it. */
function flushed(stream: OutputStream): Promise<void> {
  return new Promise((resolve) => {
    stream.write('', () => resolve());
  });
}
