import { randomBytes } from 'node:crypto';
import type { Env } from '@forgejo-runner/core';

/** A command line for the container, and the environment that `lxc-attach` gets for it. */
export interface Launch {
  readonly argv: readonly string[];
  readonly env: Env;
  /** What the launcher writes first on standard error, with exit code 125, where the folder to run in is missing. */
  readonly noFolder: string;
}

/** Names of variables start with it until the launcher gives them their own. */
const prefix = 'FJR_V_';

/** What runs it. A shell will not do: most of them drop variables such as `INPUT_GITHUB-TOKEN`. */
export const launcherProgram = '/usr/bin/perl';

const script = [
  'my ($folder, $word, $count) = splice @ARGV, 0, 3;',
  'delete $ENV{container};',
  `$ENV{$_} = delete $ENV{"${prefix}$_"} for splice @ARGV, 0, $count;`,
  'if (!chdir $folder) { print STDERR $word; exit 125 }',
  'exec { $ARGV[0] } @ARGV;',
  'my $why = $!; print STDERR "$ARGV[0]: $why\n"; exit($why == 2 ? 127 : 126);',
].join(' ');

/**
 * How to start a program inside, in a folder and with exactly this environment.
 *
 * `lxc-attach` runs on the machine, as root, and a variable such as LD_PRELOAD or OPENSSL_CONF would make it load a file
 * of the job. So all variables travel under other names, and get their own inside. Values never stand on a command line.
 */
export function launch({
  argv,
  env,
  cwd,
}: {
  readonly argv: readonly string[];
  readonly env: Env;
  readonly cwd: string;
}): Launch {
  const noFolder = `FJR-${randomBytes(12).toString('hex')}`;
  const names = Object.keys(env);
  const renamed = Object.entries(env).map(([name, value]) => [`${prefix}${name}`, value] as const);
  return {
    argv: [launcherProgram, '-e', script, '--', cwd, noFolder, String(names.length), ...names, ...argv],
    env: Object.fromEntries(renamed),
    noFolder,
  };
}
