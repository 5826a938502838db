import type { Command } from 'commander';
import { cacheFlag, collect, type OutputFlags, outputFlags } from './flags.ts';
import type { Finish } from './program.ts';

/** Flags of `verify`. */
export interface VerifyFlags extends OutputFlags {
  readonly with?: readonly string[];
  readonly replace?: readonly string[];
  readonly offline?: boolean;
  readonly cacheDir?: string;
}

/** The command about what was built. */
export interface VerifyCommands {
  readonly verify: (artefact: string, flags: VerifyFlags) => Promise<number>;
}

/** Defines `verify`. */
export function defineVerify(program: Command, commands: VerifyCommands, finish: Finish): void {
  outputFlags(cacheFlag(program.command('verify')))
    .description(
      'build a runner again from what it carries, and compare every byte; names the first input that differs',
    )
    .argument('<file>', 'a runner that was built, for whatever platform')
    .option('--with <name=path>', 'where the folder of a backend lies here (repeatable)', collect)
    .option('--replace <name=path>', 'where the folder of another package lies here (repeatable)', collect)
    .option('--offline', 'ask nobody: everything has to be in the cache')
    .action((artefact: string, flags: VerifyFlags) => finish(commands.verify(artefact, flags)));
}
