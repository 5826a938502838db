import { Argument, Command, type Help, Option, type OutputConfiguration } from 'commander';
import { distributionTitle } from '../build-info.ts';
import type { Io } from '../io.ts';
import { runnerVersion } from '../runner-version.ts';
import type { CommandContext } from './command-context.ts';
import { execCommand, readExecOptions } from './exec-options.ts';

/** Runs a command whose flags were read. Resolves with what the process exits with. */
type Action = (command: Command, context: CommandContext) => Promise<number>;

/** Commands that need no backend. */
const withoutBackends: ReadonlySet<string> = new Set([
  'build-info',
  'cache',
  'cache-server',
  'completion',
  'generate-config',
  'jobs',
  'logs',
  'man-page',
  'validate',
]);

/**
 * The command line of the runner. `setExitCode` gets what the chosen command ended with; `openContext` gives what a
 * command that needs the backends may use.
 */
export function makeProgram(
  context: CommandContext,
  openContext: () => Promise<CommandContext>,
  setExitCode: (code: number) => void,
): Command {
  const program = new Command('forgejo-runner')
    .description('Runs Forgejo Actions jobs on the backends that this runner was built with.')
    .version(versionLine(context), '--version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show help')
    // A flag after the command is the command's: `exec --container-opts "-c 512"` names no configuration.
    .enablePositionalOptions()
    // `-ln` is two flags although both may take `=true` or `=false`.
    .combineFlagAndOptionalValue(false)
    .configureHelp({ optionTerm, optionDescription })
    .configureOutput(outputOf(context.io))
    .exitOverride();
  withCommonOptions(program);
  for (const [command, action] of commands()) {
    command.copyInheritedSettings(program).allowExcessArguments(false);
    command.action(async () => {
      const used = withoutBackends.has(command.name()) ? context : await openContext();
      setExitCode(await action(command, used));
    });
    program.addCommand(withCommonOptions(command));
  }
  return program;
}

/** The words of the Go runner, which programs read; whose runner it is stands behind them. */
function versionLine({ buildInfo }: CommandContext): string {
  const version = `forgejo-runner version v${buildInfo?.runner ?? runnerVersion}`;
  return buildInfo?.distribution === undefined ? version : `${version} (${distributionTitle(buildInfo.distribution)})`;
}

const otherTargets = ['directory', 'repository'];

// A command's module is imported when the command runs: `--version` must not wait for the engine.
function commands(): readonly (readonly [Command, Action])[] {
  return [
    [execCommand(), async (command, context) => (await import('./exec.ts')).runExec(readExecOptions(command), context)],
    [
      withConnectionOptions(
        new Command('daemon')
          .summary('take jobs of instances')
          .description(
            'Takes jobs of the instances that the configuration names, and runs them, until it is told to stop.',
          ),
      ),
      async (command, context) => (await import('./daemon.ts')).startDaemon(command.optsWithGlobals(), context),
    ],
    [
      withConnectionOptions(
        new Command('one-job')
          .summary('take one job of an instance')
          .description('Takes one job, runs it and ends; with exit code 2 where there is none.')
          .option('-w, --wait', 'wait until there is a job')
          .option('--handle <id>', 'take the attempt of a job that has this handle'),
      ),
      async (command, context) => (await import('./one-job.ts')).startOneJob(command.optsWithGlobals(), context),
    ],
    [
      new Command('register')
        .summary('register a runner on an instance')
        .description(
          'Makes a runner on an instance with a registration token, and keeps its identity in the file runner.file.',
        )
        .option('--no-interactive', 'ask nothing')
        .option('--instance <url>', 'address of the instance')
        .option('--token <token>', 'registration token')
        .option('--name <name>', 'name of the runner (default: that of this machine)')
        .option('--labels <labels>', 'labels of the runner, separated by commas; those of the configuration win')
        .option('--ephemeral', 'a runner for one job, for one-job'),
      async (command, context) => (await import('./register.ts')).register(command.optsWithGlobals(), context),
    ],
    [
      new Command('create-runner-file')
        .summary('write the identity of a runner from a secret')
        .description(
          'Writes the file runner.file for a runner that forgejo-cli actions register made with the same secret.',
        )
        .requiredOption('--instance <url>', 'address of the instance')
        .requiredOption('--secret <secret>', '40 hexadecimal digits that the instance knows as well')
        .option('--name <name>', 'name of the runner (default: that of this machine)')
        .option('--connect', 'also tell the instance the labels of the configuration'),
      async (command, context) =>
        (await import('./create-runner-file.ts')).createRunnerFile(command.optsWithGlobals(), context),
    ],
    [
      new Command('validate')
        .summary('check workflows and actions')
        .description('Checks files of workflows and actions, or all of a folder or repository, and runs nothing.')
        .addOption(new Option('--path <file>', 'file to check; with --workflow or --action').conflicts(otherTargets))
        .addOption(new Option('--directory <folder>', 'folder to check (default: this one)').conflicts('repository'))
        .option('--repository <url>', 'repository to clone and check')
        .option('--clonedir <folder>', 'where to clone it to (default: a temporary folder)')
        .addOption(new Option('--workflow', 'the file is a workflow').conflicts('action'))
        .option('--action', 'the file is an action')
        .option('--json', 'print JSON'),
      async (command, context) => (await import('./validate.ts')).validate(command.opts(), context),
    ],
    [
      new Command('generate-config')
        .summary('print a configuration file')
        .description('Prints a configuration file with all settings at their defaults, explained.'),
      async (_command, context) => (await import('./generate-config.ts')).generateConfig(context),
    ],
    [
      new Command('config')
        .summary('explain the configuration')
        .description(
          'check: shows which values count and where each comes from, or all that is wrong. schema: prints the JSON Schema of the file.',
        )
        .addArgument(new Argument('<what>', 'what to do').choices(['check', 'schema']))
        .option('--json', 'print JSON'),
      async (command, context) =>
        (await import('./config.ts')).runConfig(
          { ...command.optsWithGlobals(), what: command.args[0] === 'schema' ? 'schema' : 'check' },
          context,
        ),
    ],
    [
      new Command('list-backends')
        .summary('show the backends in this runner')
        .description('Shows which backends this runner was built with, and from which packages they come.')
        .option('--json', 'print JSON'),
      async (command, context) => (await import('./list-backends.ts')).listBackends(command.opts(), context),
    ],
    [
      new Command('build-info')
        .summary('show what this runner was built from')
        .description('Shows which packages this runner was built from, and with what.')
        .option('--json', 'print JSON')
        .option('--lock', 'print the lock of the build, with every package below those')
        .option('--sbom', 'print what is in this runner, as CycloneDX')
        .option('--provenance', 'print what it was made from, as an in-toto statement')
        .option('--licenses', 'print the licences of all that is in it'),
      async (command, context) => (await import('./build-info.ts')).showBuildInfo(command.opts(), context),
    ],
    [
      new Command('jobs')
        .summary('show the jobs of this runner')
        .description('Shows the jobs that this runner ran for instances, those that started last first.')
        .option('--json', 'print JSON'),
      async (command, context) => (await import('./jobs.ts')).showJobs(command.opts(), context),
    ],
    [
      new Command('logs')
        .summary('show the log of a job')
        .description('Shows the log of a job that this runner ran for an instance, also while it runs.')
        .addArgument(new Argument('<job>', 'job as the command jobs lists it, or the id of its task'))
        .option('-f, --follow', 'go on until the job has ended')
        .option('--step <number>', 'only rows of this step, from 1 on')
        .option('--timestamps', 'print the time of each row'),
      async (command, context) =>
        (await import('./logs.ts')).showLog({ ...command.opts(), job: command.args[0] ?? '' }, context),
    ],
    [
      new Command('cache-server')
        .summary('run a cache for several runners')
        .description('Runs a cache server on its own, for runners that have its secret, until it is told to stop.')
        .option('-d, --dir <folder>', 'folder of the cache (default: that of the configuration)')
        .option('-s, --host <address>', 'address to listen at (default: all of this machine)')
        .option('-p, --port <number>', 'port to listen at; 0 takes a free one (default: that of the configuration)')
        .option('--secret <text>', 'secret that the runners share with it'),
      async (command, context) =>
        (await import('./cache-server.ts')).runCacheServer(command.optsWithGlobals(), context),
    ],
    [
      new Command('serve-backend')
        .summary('serve a backend to other runners')
        .description(
          'Serves a backend of this runner as a plugin, by forgejo.runner.backend.v1 and plugin.v1alpha, until it is told to stop.',
        )
        .addArgument(new Argument('<id>', 'backend as list-backends shows it, or as backend.<id> configures it'))
        .requiredOption('--address <address>', 'where to listen: unix:///path, or host:port with certificates')
        .option('--tls-cert <file>', 'certificate of the server')
        .option('--tls-key <file>', 'key of that certificate')
        .option('--tls-ca <file>', 'authorities whose runners are let in')
        .option('--pinned <fingerprint>', 'SHA-256 of the certificate of a runner that is let in; repeatable', addLabel)
        .option('--insecure-tcp', 'listen at host:port without certificates: whoever reaches it runs what they like'),
      async (command, context) =>
        (await import('./serve-backend.ts')).serveBackend(command.args[0] ?? '', command.optsWithGlobals(), context),
    ],
    [
      new Command('cache')
        .summary('show and remove what is cached')
        .description('Shows entries of the cache of jobs (ls), how much there is (stats), or removes entries (rm).')
        .addArgument(new Argument('<action>', 'what to do').choices(['ls', 'rm', 'stats']))
        .addArgument(new Argument('[ids...]', 'entries that rm removes'))
        .option('-d, --dir <folder>', 'folder of the cache (default: that of the configuration)')
        .option('--repository <name>', 'only entries of this repository, such as owner/name')
        .option('--key <text>', 'only entries whose key begins with this')
        .option('--all', 'remove all entries')
        .option('--json', 'print JSON'),
      async (command, context) =>
        (await import('./cache.ts')).manageCache(command.args, command.optsWithGlobals(), context),
    ],
    [
      new Command('prune')
        .summary('remove what is kept between jobs')
        .description(
          'Removes images, actions and leftovers of killed runs that no job used lately, only what runners of this user brought there.',
        )
        .option('--unused <duration>', 'how long nothing used them, such as 48h (default: as configured, or 720h)')
        .option('--max-size <size>', 'most that each place may keep, such as 20g (default: as configured)')
        .option('-n, --dry-run', 'show what would be removed, remove nothing')
        .option('--json', 'print JSON'),
      async (command, context) => (await import('./prune.ts')).prune(command.opts(), context),
    ],
    [
      new Command('completion')
        .summary('print a completion script')
        .description('Prints a script that completes this command line in a shell.')
        .addArgument(new Argument('<shell>', 'shell to complete in').choices(['bash', 'zsh', 'fish'])),
      async (command, context) => (await import('./completion.ts')).printCompletion(command, context),
    ],
    [
      new Command('man-page')
        .summary('print the manual page')
        .description('Prints the manual page of this command line, for man.'),
      async (command, context) => (await import('./man-page.ts')).printManPage(command, context),
    ],
  ];
}

/** An instance and our identity there, in place of those that the configuration names. */
function withConnectionOptions(command: Command): Command {
  return command
    .option('--url <url>', 'address of the instance')
    .option('--uuid <uuid>', 'identity of the runner there')
    .option('--token-url <url>', 'file: URL of the file with the token of the runner')
    .option('--label <label>', 'label of the runner; repeatable', addLabel)
    .option('--fetch-interval <duration>', 'time between two requests for work');
}

function addLabel(label: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), label];
}

/** Flags that stand before or after the name of a command. */
function withCommonOptions(command: Command): Command {
  command.addOption(new Option('-c, --config <file>', 'configuration file of the runner'));
  if (!command.options.some((option) => option.long === '--debug')) {
    command.addOption(new Option('--debug', 'show where an error comes from'));
  }
  return command;
}

function outputOf(io: Io): OutputConfiguration {
  return {
    writeOut: (text) => void io.stdout.write(text),
    writeErr: (text) => void io.stderr.write(text),
    // Errors are thrown, and printed in one place.
    outputError: () => {},
    getOutHelpWidth: () => io.stdout.columns ?? 100,
    getErrHelpWidth: () => io.stderr.columns ?? 100,
    getOutHasColors: () => false,
    getErrHasColors: () => false,
  };
}

function optionTerm(option: Option): string {
  return option.flags.replace(' [boolean]', '');
}

function optionDescription(this: Help, option: Option): string {
  const { defaultValue } = option;
  const isWorthSaying =
    defaultValue === true ? !option.negate : typeof defaultValue === 'string' && defaultValue !== '';
  return isWorthSaying ? `${option.description} (default: ${String(defaultValue)})` : option.description;
}
