import { Command, CommanderError, Option } from 'commander';
import { defaultBackends } from '../manifest/manifest.ts';
import { UserError } from '../user-error.ts';
import type { LogFormat } from './print-progress.ts';

/** Flags that both commands take. */
export interface CommonFlags {
  readonly with?: readonly string[];
  readonly without?: readonly string[];
  readonly replace?: readonly string[];
  readonly allowUntyped?: readonly string[];
  readonly cacheDir?: string;
  readonly logFormat: LogFormat;
  readonly verbose?: boolean;
}

/** Flags of `build`. */
export interface BuildFlags extends CommonFlags {
  readonly output?: string;
  readonly sea?: boolean;
  readonly stubNative?: readonly string[];
  readonly strict?: boolean;
  readonly smokeRun: boolean;
}

/** What the commands do. */
export interface Commands {
  readonly build: (flags: BuildFlags) => Promise<number>;
  readonly run: (flags: CommonFlags, args: readonly string[]) => Promise<number>;
}

/** Reads the command line and calls the command. Resolves to the exit code. @throws UserError `FRB101` */
export async function runProgram(argv: readonly string[], version: string, commands: Commands): Promise<number> {
  let exitCode = 0;
  const program = new Command('forgejo-runner-build')
    .description('Builds a Forgejo runner from backend packages')
    .version(version)
    .exitOverride()
    // Our own printing adds the code and the next step.
    .configureOutput({ outputError: () => undefined })
    .showHelpAfterError(false);
  buildFlags(commonFlags(program.command('build', { isDefault: true })))
    .description('build a runner (the default)')
    .action(async (flags: BuildFlags) => {
      exitCode = await commands.build(flags);
    });
  commonFlags(program.command('run'))
    .description('run a runner from its packages as they are, without building it: for developing a backend')
    .argument('[args...]', 'arguments of the runner, after --')
    .action(async (args: string[], flags: CommonFlags) => {
      exitCode = await commands.run(flags, args);
    });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return 0;
    throw new UserError('FRB101', error.message.replace(/^error: /, ''), { cause: error });
  }
}

/** The flags of both commands and those of `build`, as the reference lists them. */
export function programFlags(): { readonly common: readonly string[]; readonly build: readonly string[] } {
  return { common: flagsOf(commonFlags(new Command())), build: flagsOf(buildFlags(new Command())) };
}

function flagsOf(command: Command): readonly string[] {
  return command.options.map((option) => option.flags);
}

const collect = (value: string, all: readonly string[] | undefined): string[] => [...(all ?? []), value];

function commonFlags(command: Command): Command {
  const defaults = Object.keys(defaultBackends).join(', ');
  return command
    .option(
      '--with <package>',
      'add a backend: NAME[@VERSION|@RANGE], NAME=PATH, PATH, tarball or git URL (repeatable)',
      collect,
    )
    .option('--without <backend>', `leave a default backend out: ${defaults} (repeatable)`, collect)
    .option('--replace <name=path>', 'use a folder wherever a package is imported (repeatable)', collect)
    .option('--allow-untyped <name>', 'accept a package whose types prove nothing (repeatable)', collect)
    .option('--cache-dir <dir>', 'where packages and verdicts are kept (FORGEJO_RUNNER_BUILD_CACHE)')
    .addOption(
      new Option('--log-format <format>', 'how progress is printed').choices(['auto', 'plain', 'json']).default('auto'),
    )
    .option('--verbose', 'print the words of npm, the compiler and the bundler as well');
}

function buildFlags(command: Command): Command {
  return command
    .option('-o, --output <file>', 'file of the result (default ./forgejo-runner.mjs, with --sea ./forgejo-runner)')
    .option('--sea', 'make one executable that needs no Node')
    .option('--stub-native <name>', 'leave the native addons of a package out (repeatable)', collect)
    .option('--strict', 'warnings are errors')
    .option('--no-smoke-run', 'do not start the result before it is written');
}
