import type { Command } from 'commander';
import type { AnswerFlags } from './define-catalogue.ts';
import { cacheFlag, lockFlags, manifestFlag, outputFlags, type ProjectFlags, projectFlags } from './flags.ts';
import type { Finish } from './program.ts';

/** Flags of commands that read the lock of a project. */
export interface LockReadFlags extends AnswerFlags {
  readonly manifest?: string;
}

/** Flags of `update`. */
export interface UpdateFlags extends ProjectFlags {
  readonly from?: string;
}

/** Commands about what was locked and got. */
export interface LockCommands {
  readonly fetch: (flags: ProjectFlags) => Promise<number>;
  readonly vendor: (flags: ProjectFlags) => Promise<number>;
  readonly outdated: (flags: LockReadFlags) => Promise<number>;
  readonly update: (names: readonly string[], flags: UpdateFlags) => Promise<number>;
  readonly why: (name: string, flags: LockReadFlags) => Promise<number>;
}

/** Defines `fetch`, `vendor`, `outdated`, `update` and `why`. */
export function defineLock(program: Command, commands: LockCommands, finish: Finish): void {
  lockFlags(projectFlags(program.command('fetch')))
    .description('get all that a build needs and write the lock, so that build --offline works')
    .action((flags: ProjectFlags) => finish(commands.fetch(flags)));
  lockFlags(projectFlags(program.command('vendor')))
    .description('write all packages as tarballs into ./forgejo-runner.vendor, which builds take them from')
    .action((flags: ProjectFlags) => finish(commands.vendor(flags)));
  outputFlags(manifestFlag(program.command('outdated')))
    .description('show newer versions of the locked packages')
    .option('--json', 'answer in JSON')
    .action((flags: LockReadFlags) => finish(commands.outdated(flags)));
  outputFlags(cacheFlag(manifestFlag(program.command('update'))))
    .description('lock the newest versions that the manifest allows, of all packages or of some')
    .argument('[names...]', 'packages, also those that others depend on')
    .option('--from <file>', 'take manifest and lock from a built runner instead')
    .action((names: string[], flags: UpdateFlags) => finish(commands.update(names, flags)));
  outputFlags(manifestFlag(program.command('why')))
    .description('show which packages a package is needed by')
    .argument('<name>')
    .option('--json', 'answer in JSON')
    .action((name: string, flags: LockReadFlags) => finish(commands.why(name, flags)));
}
