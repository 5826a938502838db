import { findInstallation } from '../resolve/installation.ts';
import { killChildren } from '../run-child.ts';
import { exitCodeOf, exitCodes } from './exit-codes.ts';
import { printError } from './print-error.ts';
import { runProgram } from './program.ts';

/** Runs the command line of the builder: argv without Node and script to exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  const interrupt = new AbortController();
  const stopListening = onInterrupt(interrupt);
  const isJson = argv.includes('--log-format=json') || argv[argv.indexOf('--log-format') + 1] === 'json';
  try {
    return await runProgram(argv, findInstallation().version, {
      build: async (flags) => (await import('./build.ts')).buildCommand(flags, interrupt.signal),
      run: async (flags, args) => (await import('./run.ts')).runCommand(flags, args, interrupt.signal),
    });
  } catch (error) {
    if (interrupt.signal.aborted) {
      process.stderr.write('interrupted; nothing was written\n');
      return exitCodes.interrupted;
    }
    const stream = isJson ? process.stdout : process.stderr;
    printError(error, { isJson, isVerbose: argv.includes('--verbose'), stream });
    return exitCodeOf(error);
  } finally {
    stopListening();
  }
}

const sameKeypressMs = 300;

/** The first signal stops the build in order; a second one ends the process at once. */
function onInterrupt(interrupt: AbortController): () => void {
  let first: number | undefined;
  const listener = (): void => {
    const now = performance.now();
    // A wrapper may pass on what the terminal sent to us as well: one keypress, two signals.
    if (first !== undefined && now - first > sameKeypressMs) {
      killChildren();
      process.exit(exitCodes.interrupted);
    }
    first ??= now;
    interrupt.abort(new Error('interrupted'));
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, listener);
  return () => {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(name, listener);
  };
}
