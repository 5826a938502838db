import { dockerDrivers, factories, type FactoryRegistry } from '@forgejo-runner/core';
import { CommanderError } from 'commander';
import type { BuildInfo } from './build-info.ts';
import type { CommandContext } from './cli/command-context.ts';
import { exitCodes } from './cli/exit-codes.ts';
import { printError } from './cli/print-error.ts';
import { makeProgram } from './cli/program.ts';
import type { Io } from './io.ts';
import { UserError } from './user-error.ts';

/** What a runner is made of beside its code. */
export interface MainOptions {
  readonly buildInfo?: BuildInfo;
  /** Imports the backends, each of which registers itself. Called once, by commands that need them. */
  readonly importBackends?: () => Promise<ImportedBackends>;
  /** The backends; those of the process where absent. */
  readonly factories?: FactoryRegistry;
}

/** What importing the backends gave, beside what they registered. */
export interface ImportedBackends {
  /** Backend package to the milliseconds that importing it took. */
  readonly importTimes?: ReadonlyMap<string, number>;
}

/**
 * Runs one command line, without the names of Node and the script in front, and resolves with the exit code. Never
 * rejects, and touches nothing of the process but what `io` has.
 */
export async function main(args: readonly string[], io: Io, options: MainOptions = {}): Promise<number> {
  let exitCode: number = exitCodes.success;
  const { importBackends, ...known } = options;
  const context = { io, factories, ...known };
  const openContext = async (): Promise<CommandContext> => {
    const imported = await importBackends?.();
    const driver = dockerDrivers.get()?.driver;
    return { ...context, ...imported, ...(driver === undefined ? {} : { dockerDriver: driver }) };
  };
  const program = makeProgram(context, openContext, (code) => {
    exitCode = code;
  });
  try {
    if (args.length === 0) program.outputHelp();
    else await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return exitCodes.success;
    // What waits on `io.signal` rejects with its reason, or with an AbortError that says less.
    const isInterrupted = io.signal.aborted && error instanceof Error && error.name === 'AbortError';
    const shown = isInterrupted ? io.signal.reason : error instanceof CommanderError ? usageError(error, args) : error;
    return printError(shown, io.stderr, {
      debug: args.includes('--debug'),
      support: options.buildInfo?.distribution?.support,
    });
  }
}

function usageError(error: CommanderError, args: readonly string[]): UserError {
  const unknown = /^error: unknown command '(.*?)'/s.exec(error.message)?.[1];
  const message = error.message
    .replace(/^error: /, '')
    .replace(/\n\(Did you mean (.*?)\?\)$/s, '; did you mean $1')
    .replaceAll(/'([^'\n]*)'/g, '"$1"')
    .replace(/\.$/, '');
  const command = unknown === undefined && args[0] !== undefined && !args[0].startsWith('-') ? `${args[0]} ` : '';
  return new UserError('FRR101', {
    problems: [{ message }],
    next: `forgejo-runner ${command}--help shows what is possible`,
    cause: error,
  });
}
