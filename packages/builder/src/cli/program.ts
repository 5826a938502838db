import { Command, CommanderError } from 'commander';
import { UserError } from '../user-error.ts';
import { type CatalogueCommands, defineCatalogue } from './define-catalogue.ts';
import { type CheckCommands, defineCheck } from './define-check.ts';
import { type CacheCommands, defineCache } from './define-cache.ts';
import { type CreateCommands, defineCreate } from './define-create.ts';
import { defineLock, type LockCommands } from './define-lock.ts';
import { defineManifest, type ManifestCommands } from './define-manifest.ts';
import { definePack, type PackCommands } from './define-pack.ts';
import { defineTest, type TestCommands } from './define-test.ts';
import { defineVerify, type VerifyCommands } from './define-verify.ts';
import { type BuildFlags, buildFlags, lockFlags, projectFlags, type RunFlags } from './flags.ts';

/** What the commands do. Each resolves to its exit code. */
export interface Commands
  extends ManifestCommands,
    LockCommands,
    CatalogueCommands,
    TestCommands,
    CheckCommands,
    CreateCommands,
    PackCommands,
    VerifyCommands,
    CacheCommands {
  readonly build: (flags: BuildFlags) => Promise<number>;
  readonly run: (flags: RunFlags, args: readonly string[]) => Promise<number>;
}

/** Takes the exit code of the command that was called. */
export type Finish = (code: Promise<number>) => Promise<void>;

/** Reads the command line and calls the command. Resolves to the exit code. @throws UserError `FRB101` */
export async function runProgram(argv: readonly string[], version: string, commands: Commands): Promise<number> {
  let exitCode = 0;
  const program = defineProgram(version, commands, async (code) => {
    exitCode = await code;
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

/** Every command with its flags. */
export function defineProgram(version: string, commands: Commands, finish: Finish): Command {
  const program = new Command('forgejo-runner-build')
    .description('Builds a Forgejo runner from backend packages')
    .version(version)
    .exitOverride()
    // Our own printing adds the code and the next step.
    .configureOutput({ outputError: () => undefined })
    .showHelpAfterError(false);
  buildFlags(lockFlags(projectFlags(program.command('build', { isDefault: true }))))
    .description('build a runner (the default)')
    .action((flags: BuildFlags) => finish(commands.build(flags)));
  lockFlags(projectFlags(program.command('run')))
    .description('run a runner from its packages as they are, without building it: for developing a backend')
    .option('--watch', 'start it again whenever a file of a local package changes')
    .option('--bundle', 'build the JavaScript file and run that')
    .argument('[args...]', 'arguments of the runner, after --')
    .action((args: string[], flags: RunFlags) => finish(commands.run(flags, args)));
  defineManifest(program, commands, finish);
  defineLock(program, commands, finish);
  defineCatalogue(program, commands, finish);
  defineCreate(program, commands, finish);
  defineTest(program, commands, finish);
  defineCheck(program, commands, finish);
  definePack(program, commands, finish);
  defineVerify(program, commands, finish);
  defineCache(program, commands, finish);
  return program;
}
