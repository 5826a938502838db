import { randomBytes } from 'node:crypto';
import type { Env } from '@forgejo-runner/core';

/** How a program is started in the container. */
export interface Launch {
  readonly argv: readonly [string, ...string[]];
  /** What the launcher reads first from standard input: the program's own input comes behind it. */
  readonly header: Uint8Array;
  /** What the launcher writes first on standard error, with exit code 125, where the folder to run in is missing. */
  readonly noFolder: string;
  /** The same where arguments and environment are more than the system takes. */
  readonly tooBig: string;
}

/** What runs it. A shell will not do: most of them drop variables such as `INPUT_GITHUB-TOKEN`. */
export const launcherProgram = '/usr/bin/perl';

const script = [
  'sub take { my ($n, $b) = (shift, ""); while (length $b < $n) { sysread(STDIN, $b, $n - length $b, length $b) or exit 125 } $b }',
  'my @f = split /\\0/, take(take(10)), -1; pop @f;',
  'my ($folder, $none, $big, $in, $count) = splice @f, 0, 5;',
  // Our own markers come by the environment of this process.
  'delete $ENV{$_} for grep { !/^FJR_/ } keys %ENV;',
  'for (splice @f, 0, $count) { my ($k, $v) = split /=/, $_, 2; $ENV{$k} = $v }',
  'open STDIN, "<", "/dev/null" if !$in;',
  'if (!chdir $folder) { print STDERR $none; exit 125 }',
  'exec { $f[0] } @f;',
  'if ($! == 7) { print STDERR $big; exit 125 }',
  'my $why = $!; print STDERR "$f[0]: $why\\n"; exit($why == 2 ? 127 : 126);',
].join(' ');

/**
 * How to start a program inside, in a folder and with exactly this environment.
 *
 * `lxc-attach` runs on the machine, as root, and a variable such as LD_PRELOAD or OPENSSL_CONF would make it load a file
 * of the job; sudo would drop most variables. So everything goes through standard input, where nobody else sees it.
 */
export function launch({
  argv,
  env,
  cwd,
  hasInput,
}: {
  readonly argv: readonly string[];
  readonly env: Env;
  readonly cwd: string;
  readonly hasInput: boolean;
}): Launch {
  const [noFolder, tooBig] = [newWord(), newWord()];
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const fields = [cwd, noFolder, tooBig, hasInput ? '1' : '', String(variables.length), ...variables, ...argv];
  const body = Buffer.from(fields.map((field) => `${field}\0`).join(''));
  const length = Buffer.from(String(body.length).padStart(10, '0'));
  return { argv: [launcherProgram, '-e', script], header: Buffer.concat([length, body]), noFolder, tooBig };
}

/** So long that nothing says it by chance. */
function newWord(): string {
  return `FJR-${randomBytes(12).toString('hex')}`;
}
