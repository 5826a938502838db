import type { Command } from 'commander';
import { cacheFlag, type OutputFlags, outputFlags } from './flags.ts';
import type { Finish } from './program.ts';

/** Flags of `check`. */
export interface CheckFlags extends OutputFlags {
  readonly fix?: boolean;
  readonly strict?: boolean;
  readonly maxSize?: string;
  readonly maxImport?: string;
  readonly cacheDir?: string;
}

/** The command that lints a backend package. */
export interface CheckCommands {
  readonly check: (dir: string, flags: CheckFlags) => Promise<number>;
}

/** Defines `check`. */
export function defineCheck(program: Command, commands: CheckCommands, finish: Finish): void {
  outputFlags(cacheFlag(program.command('check')))
    .description('check what a backend package publishes: its package.json, files, types, size and import time')
    .argument('[folder]', 'folder of the package', '.')
    .option('--fix', 'mend in package.json what can be mended there')
    .option('--strict', 'warnings are errors')
    .option('--max-size <size>', 'what it may add to a runner, with its dependencies (default 1MB)')
    .option('--max-import <time>', 'how long its import may take (default 100ms)')
    .action((dir: string, flags: CheckFlags) => finish(commands.check(dir, flags)));
}
