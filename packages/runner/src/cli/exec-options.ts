import { Command, InvalidArgumentError, Option } from 'commander';

/** The command line of `exec`, with the Go runner's flags and defaults. Lists keep the order of the command line. */
export interface ExecOptions {
  /** `-c`: the runner's configuration; absent means built-in defaults. */
  readonly config?: string;
  /** Show the jobs and run nothing. */
  readonly list: boolean;
  /** Run this job, and the jobs that it needs. */
  readonly job?: string;
  readonly event?: string;
  /** Take the first event that the workflows name, where there are several. */
  readonly detectEvent: boolean;
  /** JSON file with the payload of the event. */
  readonly eventPath?: string;
  /** A workflow file, or a folder of them. */
  readonly workflows: string;
  readonly directory: string;
  /** Look for workflows in folders below as well. */
  readonly recurse: boolean;
  readonly pull: boolean;
  readonly rebuild: boolean;
  readonly json: boolean;
  /** `NAME=value`, or `NAME` to take the value from the runner's own environment. */
  readonly env: readonly string[];
  readonly envFile: string;
  /** False where `envFile` is the default: then it may be missing. */
  readonly envFileIsGiven: boolean;
  /** `NAME=value`, or `NAME` to take the value from the environment or to be asked for it. */
  readonly secrets: readonly string[];
  readonly vars: readonly string[];
  /** Show secrets in the log. */
  readonly insecureSecrets: boolean;
  readonly privileged: boolean;
  readonly userns: string;
  /** Platform of containers, such as `linux/arm64`; absent means that of this machine. */
  readonly containerArchitecture?: string;
  readonly containerDaemonSocket: string;
  readonly useGitignore: boolean;
  readonly containerCapAdd: readonly string[];
  readonly containerCapDrop: readonly string[];
  readonly containerOptions: string;
  readonly defaultActionsUrl: string;
  /** Let `actions/checkout` run instead of copying `directory`. */
  readonly noSkipCheckout: boolean;
  readonly debug: boolean;
  readonly dryRun: boolean;
  /** Image for labels without an entry in `platforms`; `-self-hosted` runs them on this machine. */
  readonly image: string;
  /** False where `image` is the default. */
  readonly imageIsGiven: boolean;
  /** `label=backend:argument`, which beat `image` and the configuration's labels. */
  readonly platforms: readonly string[];
  readonly network: string;
  readonly enableIpv6: boolean;
  readonly forgejoInstance: string;
  /** Folder that artifacts are kept in; absent means that they end with the run. */
  readonly artifacts?: string;
}

/** The command `exec` with its flags; {@link readExecOptions} reads them when they are parsed. */
export function execCommand(): Command {
  const command = new Command('exec')
    .summary('run workflows on this machine')
    .description('Runs the workflows of a folder on this machine, as an instance would hand them out.')
    .combineFlagAndOptionalValue(false);
  for (const option of options()) command.addOption(option);
  return command;
}

const defaults = {
  workflows: './.forgejo/workflows/',
  directory: '.',
  envFile: '.env',
  containerDaemonSocket: '/var/run/docker.sock',
  defaultActionsUrl: 'https://code.forgejo.org',
  image: 'node:20-bullseye',
} as const;

function options(): readonly Option[] {
  return [...whatToRun(), ...whatJobsGet(), ...whereJobsRun(), ...containers()];
}

function whatToRun(): readonly Option[] {
  return [
    flag('-l, --list', 'show the jobs, run nothing'),
    text('-j, --job <id>', 'run this job and those that it needs'),
    text('-E, --event <name>', 'event that starts the workflows (default: the only one that they name, else push)'),
    flag('--detect-event', 'take the first event that the workflows name'),
    text('-e, --eventpath <file>', 'JSON file with the payload of the event'),
    text('-W, --workflows <path>', 'workflow file, or folder of them', defaults.workflows),
    text('-C, --directory <path>', 'folder that the jobs work in', defaults.directory),
    flag('--no-recurse', 'do not look for workflows in folders below'),
    flag('-n, --dryrun', 'plan everything, run nothing'),
    flag('--json', 'print events as JSON, one a line'),
    flag('-d, --debug', 'print more about what is going on'),
  ];
}

function whatJobsGet(): readonly Option[] {
  return [
    list('--env <name=value>', 'variable for the jobs; without a value it is taken from the environment'),
    text('--env-file <file>', 'file with variables for the jobs', defaults.envFile),
    list('-s, --secret <name=value>', 'secret; without a value it is taken from the environment, or asked for'),
    list('--var <name=value>', 'value of the context vars'),
    flag('--insecure-secrets', 'do not hide secrets in the log'),
    flag('--use-gitignore [boolean]', 'leave out of the copy what .gitignore names', true),
    flag('--no-skip-checkout', 'run actions/checkout instead of copying the folder'),
    text('--default-actions-url <url>', 'where actions without a host come from', defaults.defaultActionsUrl),
    text('--forgejo-instance <url>', 'instance that the jobs are told about', ''),
    text('--artifacts <folder>', 'keep artifacts in this folder (default: they end with the run)'),
  ];
}

function whereJobsRun(): readonly Option[] {
  return [
    text('-i, --image <image>', 'image for all labels; -self-hosted runs on this machine', defaults.image),
    list(
      '-P, --platform <label=backend:argument>',
      'where jobs of a label run, such as ci=host or ci=docker://alpine:3',
    ),
  ];
}

function containers(): readonly Option[] {
  return [
    flag('-p, --pull', 'pull images even if they are there'),
    flag('--rebuild', 'build images of Docker actions even if they are there'),
    flag('--privileged', 'run containers in privileged mode'),
    text('--userns <name>', 'user namespace of containers', ''),
    text('--container-architecture <platform>', 'platform of containers, such as linux/arm64 (default: this machine)'),
    text('--container-daemon-socket <path>', 'deprecated: socket for jobs', defaults.containerDaemonSocket),
    list('--container-cap-add <capability>', 'kernel capability to add to containers'),
    list('--container-cap-drop <capability>', 'kernel capability to take from containers'),
    text('--container-opts <options>', 'options for the job container, as for docker run', ''),
    text('--network <name>', 'network of containers (default: one for each job)', ''),
    flag('-6, --enable-ipv6', 'give networks IPv6 addresses'),
  ];
}

/** A switch that also takes `=true` and `=false`, as Go's flags do. `--no-x` is true unless given: `x` then is false. */
function flag(flags: string, description: string, byDefault = false): Option {
  const option = new Option(flags.endsWith(']') ? flags : `${flags} [boolean]`, description);
  // In commander `--no-recurse` sets `recurse`, which starts as true.
  const isNegated = option.negate;
  return option
    .preset('true')
    .argParser((value) => readBoolean(value) !== isNegated)
    .default(isNegated ? !byDefault : byDefault);
}

function text(flags: string, description: string, byDefault?: string): Option {
  const option = new Option(flags, description);
  return byDefault === undefined ? option : option.default(byDefault);
}

function list(flags: string, description: string): Option {
  return new Option(flags, `${description}; repeatable`)
    .argParser((value, previous: readonly string[]) => [...previous, value])
    .default([]);
}

const truths: ReadonlySet<string> = new Set(['1', 't', 'T', 'true', 'TRUE', 'True']);
const falsehoods: ReadonlySet<string> = new Set(['0', 'f', 'F', 'false', 'FALSE', 'False']);

function readBoolean(value: string): boolean {
  if (truths.has(value)) return true;
  if (falsehoods.has(value)) return false;
  throw new InvalidArgumentError('expected true or false');
}

/** What commander makes of the flags declared above, under its own names. */
interface Parsed {
  readonly config?: string;
  readonly list: boolean;
  readonly job?: string;
  readonly event?: string;
  readonly detectEvent: boolean;
  readonly eventpath?: string;
  readonly workflows: string;
  readonly directory: string;
  readonly recurse: boolean;
  readonly dryrun: boolean;
  readonly json: boolean;
  readonly debug: boolean;
  readonly env: readonly string[];
  readonly envFile: string;
  readonly secret: readonly string[];
  readonly var: readonly string[];
  readonly insecureSecrets: boolean;
  readonly useGitignore: boolean;
  readonly skipCheckout: boolean;
  readonly defaultActionsUrl: string;
  readonly forgejoInstance: string;
  readonly image: string;
  readonly platform: readonly string[];
  readonly pull: boolean;
  readonly rebuild: boolean;
  readonly privileged: boolean;
  readonly userns: string;
  readonly containerArchitecture?: string;
  readonly containerDaemonSocket: string;
  readonly containerCapAdd: readonly string[];
  readonly containerCapDrop: readonly string[];
  readonly containerOpts: string;
  readonly network: string;
  readonly enableIpv6: boolean;
}

/** What the command line says, once commander has parsed it. */
export function readExecOptions(command: Command): ExecOptions {
  const {
    secret,
    var: vars,
    platform,
    dryrun,
    skipCheckout,
    eventpath,
    containerOpts,
    ...same
  } = command.optsWithGlobals<Parsed>();
  return {
    ...same,
    secrets: secret,
    vars,
    platforms: platform,
    dryRun: dryrun,
    noSkipCheckout: !skipCheckout,
    ...(eventpath === undefined ? {} : { eventPath: eventpath }),
    containerOptions: containerOpts,
    envFileIsGiven: command.getOptionValueSource('envFile') === 'cli',
    imageIsGiven: command.getOptionValueSource('image') === 'cli',
  };
}
