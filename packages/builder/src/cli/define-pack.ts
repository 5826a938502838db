import type { Command } from 'commander';
import { targets } from '../package/target.ts';
import { collect, lockFlags, type ProjectFlags, projectFlags } from './flags.ts';
import type { Finish } from './program.ts';

/** Flags of `pack`. */
export interface PackFlags extends ProjectFlags {
  readonly release?: string;
  readonly target?: readonly string[];
  readonly output: string;
}

/** The command for those who ship runners. */
export interface PackCommands {
  readonly pack: (flags: PackFlags) => Promise<number>;
}

/** Defines `pack`. */
export function definePack(program: Command, commands: PackCommands, finish: Finish): void {
  lockFlags(projectFlags(program.command('pack')))
    .description('make all files of a release: runners for each platform in archives, lock, checksums')
    .option('--release <version>', 'version of the release (default: distribution.version of the manifest)')
    .option(
      '--target <platform>',
      `platform, instead of those of the manifest: ${targets.join(', ')} (repeatable)`,
      collect,
    )
    .option('-o, --output <folder>', 'folder of the release; an earlier one in it is replaced', 'release')
    .action((flags: PackFlags) => finish(commands.pack(flags)));
}
