import { type Command, Option } from 'commander';
import { cacheFlag, collect, type OutputFlags, outputFlags } from './flags.ts';
import type { Finish } from './program.ts';

/** Flags of `test`. */
export interface TestFlags extends OutputFlags {
  readonly config?: string;
  readonly lane: 'quick' | 'full' | 'nightly';
  readonly verdict?: string;
  readonly runner?: string | false;
  readonly allowUntyped?: readonly string[];
  readonly cacheDir?: string;
}

/** The command for authors of backends. */
export interface TestCommands {
  readonly test: (spec: string, flags: TestFlags) => Promise<number>;
}

/** Defines `test`. */
export function defineTest(program: Command, commands: TestCommands, finish: Finish): void {
  outputFlags(cacheFlag(program.command('test')))
    .description('check a backend package against the contract: its types, then the conformance suite')
    .argument('[package]', 'NAME[@VERSION|@RANGE], PATH, tarball or git URL', '.')
    .option('--config <file>', 'module that exports "conformance", or JSON with options of the suite')
    .addOption(new Option('--lane <lane>', 'how much').choices(['quick', 'full', 'nightly']).default('quick'))
    .option('--verdict <file>', 'where the verdict is written (default ./conformance.json)')
    .option('--runner <file>', 'a runner that has the package built in, to run workflows on (default: one is built)')
    .option('--no-runner', 'run no workflows')
    .option('--allow-untyped <name>', 'accept a package whose types prove nothing (repeatable)', collect)
    .action((spec: string, flags: TestFlags) => finish(commands.test(spec, flags)));
}
