import type { Command } from 'commander';
import { type OutputFlags, outputFlags } from './flags.ts';
import type { Finish } from './program.ts';

/** Flags of commands that can answer programs. */
export interface AnswerFlags extends OutputFlags {
  readonly json?: boolean;
}

/** Commands that look into the registry. */
export interface CatalogueCommands {
  readonly search: (words: readonly string[], flags: AnswerFlags) => Promise<number>;
  readonly info: (spec: string, flags: AnswerFlags) => Promise<number>;
}

/** Defines `search` and `info`. */
export function defineCatalogue(program: Command, commands: CatalogueCommands, finish: Finish): void {
  outputFlags(program.command('search'))
    .description('find backend packages in the registry')
    .argument('[words...]', 'all of them have to be in name, description or ids')
    .option('--json', 'answer in JSON')
    .action((words: string[], flags: AnswerFlags) => finish(commands.search(words, flags)));
  outputFlags(program.command('info'))
    .description('show what is known of a package before it is installed')
    .argument('<package>', 'NAME[@VERSION|@RANGE]')
    .option('--json', 'answer in JSON')
    .action((spec: string, flags: AnswerFlags) => finish(commands.info(spec, flags)));
}
