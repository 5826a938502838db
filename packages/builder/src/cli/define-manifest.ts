import type { Command } from 'commander';
import {
  type BuildFlags,
  buildFlags,
  cacheFlag,
  manifestFlag,
  type OutputFlags,
  outputFlags,
  packageFlags,
} from './flags.ts';
import type { Finish } from './program.ts';

/** Flags of commands that change a manifest. */
export interface EditFlags extends OutputFlags {
  readonly manifest?: string;
  readonly cacheDir?: string;
}

/** Commands about manifests. */
export interface ManifestCommands {
  readonly init: (flags: BuildFlags) => Promise<number>;
  readonly add: (specs: readonly string[], flags: EditFlags) => Promise<number>;
  readonly remove: (names: readonly string[], flags: EditFlags) => Promise<number>;
  readonly suggest: (flags: OutputFlags & { readonly config: string }) => Promise<number>;
}

/** Defines `init`, `add`, `remove` and `suggest`. */
export function defineManifest(program: Command, commands: ManifestCommands, finish: Finish): void {
  outputFlags(manifestFlag(buildFlags(packageFlags(program.command('init')))))
    .description('write a manifest from these flags')
    .action((flags: BuildFlags) => finish(commands.init(flags)));
  outputFlags(cacheFlag(manifestFlag(program.command('add'))))
    .description('add backend packages to the manifest')
    .argument('<packages...>', 'as for --with')
    .action((specs: string[], flags: EditFlags) => finish(commands.add(specs, flags)));
  outputFlags(cacheFlag(manifestFlag(program.command('remove'))))
    .description('remove packages from the manifest')
    .argument('<names...>', 'package names, or short names of default backends')
    .action((names: string[], flags: EditFlags) => finish(commands.remove(names, flags)));
  outputFlags(program.command('suggest'))
    .description('print the manifest that a runner configuration needs')
    .requiredOption('--config <file>', 'configuration of a runner')
    .action((flags: OutputFlags & { readonly config: string }) => finish(commands.suggest(flags)));
}
