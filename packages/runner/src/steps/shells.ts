import { parse } from 'shell-quote';
import type { EnvironmentInfo } from '@forgejo-runner/core';
import { UserError, quoted } from '../user-error.ts';
import type { Place } from '../workflow/yaml-node.ts';

/** How a shell runs a script: its command line, where `{0}` is the script file, and what the file looks like. */
export interface Shell {
  readonly argv: readonly [string, ...string[]];
  readonly extension: string;
  /** Line ending, and what goes around the author's script. */
  readonly wrap: (script: string) => string;
}

const asWritten = (script: string): string => script;
// PowerShell goes on after an error of a command, and reports the exit code of a program only when told to.
const powershell = (script: string): string =>
  `$ErrorActionPreference = 'stop'\n${script}\nif ((Test-Path -LiteralPath variable:\\LASTEXITCODE)) { exit $LASTEXITCODE }`;

// Source: GitHub's workflow syntax, `jobs.<job_id>.steps[*].shell`, and Forgejo's runner for node and the pipefail of sh.
const known: Readonly<Record<string, Shell>> = {
  bash: { argv: ['bash', '--noprofile', '--norc', '-e', '-o', 'pipefail', '{0}'], extension: '.sh', wrap: asWritten },
  sh: { argv: ['sh', '-e', '{0}'], extension: '.sh', wrap: asWritten },
  pwsh: { argv: ['pwsh', '-command', ". '{0}'"], extension: '.ps1', wrap: powershell },
  powershell: { argv: ['powershell', '-command', ". '{0}'"], extension: '.ps1', wrap: powershell },
  cmd: {
    argv: ['cmd', '/D', '/E:ON', '/V:OFF', '/S', '/C', 'CALL "{0}"'],
    extension: '.cmd',
    wrap: (script) => `@echo off\r\n${script.replaceAll(/\r?\n/g, '\r\n')}`,
  },
  python: { argv: ['python', '{0}'], extension: '.py', wrap: asWritten },
  node: { argv: ['node', '{0}'], extension: '.js', wrap: asWritten },
};

/** Shells that are tried, in this order, where a step names none. */
export function implicitShells(info: EnvironmentInfo): readonly string[] {
  return info.os === 'Windows' ? ['pwsh', 'powershell'] : ['bash', 'sh'];
}

/**
 * Finds a shell by its name, or reads a command line that has `{0}` where the script file goes.
 *
 * @throws UserError `FRR601` for anything else.
 */
export function readShell(text: string, at: Place): Shell {
  const name = text.trim();
  if (Object.hasOwn(known, name)) return known[name] as Shell;
  if (name.includes('{0}')) return { argv: commandLine(name, at), extension: '', wrap: asWritten };
  throw new UserError('FRR601', {
    problems: [
      {
        at,
        message: `expected a shell (${Object.keys(known).join(', ')}) or a command line with {0}, found ${quoted(text)}`,
      },
    ],
    next: 'write shell: bash, or shell: perl {0}',
  });
}

/** The command line of a shell for one script file. */
export function shellArgv(shell: Shell, file: string): [string, ...string[]] {
  const [program, ...rest] = shell.argv;
  return [program, ...rest.map((argument) => argument.replaceAll('{0}', () => file))];
}

function commandLine(text: string, at: Place): readonly [string, ...string[]] {
  // Variables stay as they are: no shell reads this line. Braces of `{0}` are a glob to the parser.
  const words = parse(text, (name) => `$${name}`).map((word) => {
    if (typeof word === 'string') return word;
    if ('pattern' in word) return word.pattern;
    throw new UserError('FRR601', {
      problems: [{ at, message: `expected a plain command line in shell, found ${quoted(text)}` }],
    });
  });
  const [program, ...rest] = words;
  if (program === undefined || program.includes('{0}')) {
    throw new UserError('FRR601', {
      problems: [{ at, message: `expected a program before {0} in shell, found ${quoted(text)}` }],
    });
  }
  return [program, ...rest];
}
