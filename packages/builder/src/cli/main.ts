import { findInstallation } from '../resolve/installation.ts';
import { exitCodeOf, exitCodes } from './exit-codes.ts';
import { listenForInterrupts } from './interrupts.ts';
import { printError } from './print-error.ts';
import { runProgram } from './program.ts';

/** Runs the command line of the builder: argv without Node and script to exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  using interrupts = listenForInterrupts();
  const isJson = argv.includes('--log-format=json') || argv[argv.indexOf('--log-format') + 1] === 'json';
  try {
    return await runProgram(argv, findInstallation().version, {
      build: async (flags) => (await import('./build.ts')).buildCommand(flags, interrupts.signal),
      run: async (flags, args) => (await import('./run.ts')).runCommand(flags, args, interrupts),
      init: async (flags) => (await import('./init.ts')).initCommand(flags),
      add: async (specs, flags) => (await import('./edit.ts')).addCommand(specs, flags),
      remove: async (names, flags) => (await import('./edit.ts')).removeCommand(names, flags),
      suggest: async (flags) => (await import('./suggest.ts')).suggestCommand(flags, interrupts.signal),
      fetch: async (flags) => (await import('./fetch.ts')).fetchCommand(flags, false, interrupts.signal),
      vendor: async (flags) => (await import('./fetch.ts')).fetchCommand(flags, true, interrupts.signal),
      outdated: async (flags) => (await import('./outdated.ts')).outdatedCommand(flags, interrupts.signal),
      update: async (names, flags) => (await import('./update.ts')).updateCommand(names, flags, interrupts.signal),
      why: async (name, flags) => (await import('./outdated.ts')).whyCommand(name, flags),
      verify: async (file, flags) => (await import('./verify.ts')).verifyCommand(file, flags, interrupts.signal),
      cache: async (action, flags) => (await import('./cache.ts')).cacheCommand(action, flags),
      search: async (words, flags) => (await import('./search.ts')).searchCommand(words, flags, interrupts.signal),
      create: async (kind, name, flags) =>
        (await import('./create.ts')).createCommand(kind, name, flags, interrupts.signal),
      check: async (dir, flags) => (await import('./check.ts')).checkCommand(dir, flags, interrupts.signal),
      test: async (spec, flags) => (await import('./test.ts')).testCommand(spec, flags, interrupts.signal),
      pack: async (flags) => (await import('./pack.ts')).packCommand(flags, interrupts.signal),
      info: async (spec, flags) => (await import('./info.ts')).infoCommand(spec, flags, interrupts.signal),
    });
  } catch (error) {
    if (interrupts.signal.aborted) {
      process.stderr.write('interrupted; nothing was written\n');
      return exitCodes.interrupted;
    }
    const stream = isJson ? process.stdout : process.stderr;
    printError(error, { isJson, isVerbose: argv.includes('--verbose'), stream });
    return exitCodeOf(error);
  }
}
