import type { Command, Help } from 'commander';
import { runnerVersion } from '../runner-version.ts';
import type { CommandContext } from './command-context.ts';
import { exitCodes } from './exit-codes.ts';

/** `man-page`: the manual page, made from the commands and flags that there are. */
export async function printManPage(command: Command, { io, buildInfo }: CommandContext): Promise<number> {
  io.stdout.write(manPageOf(command.parent ?? command, buildInfo?.runner ?? runnerVersion));
  return exitCodes.success;
}

const exits: readonly (readonly [string, string])[] = [
  [String(exitCodes.success), 'done; a job that daemon or one-job ran may have failed'],
  [String(exitCodes.failure), 'a job failed, a file is not valid, or the command could not do what it was asked for'],
  [String(exitCodes.noJob), 'one-job found no job'],
  [String(exitCodes.usage), 'the command line is wrong'],
  [String(exitCodes.defect), 'a defect of the runner'],
  ['130, 143', 'ended by SIGINT (Ctrl-C) or SIGTERM'],
];

const signals: readonly (readonly [string, string])[] = [
  ['SIGINT, SIGTERM', 'The first has a command finish in good order, the second hurry, the third ends the process.'],
  ['SIGHUP', 'Has daemon read its configuration again.'],
];

function manPageOf(program: Command, version: string): string {
  const help = program.createHelp();
  const commands = help.visibleCommands(program).filter((command) => program.commands.includes(command));
  const name = program.name();
  const lines = [
    // No date: the page of a version is the same whenever it is made.
    `.TH ${name.toUpperCase()} 1 "" "${inline(`${name} ${version}`)}" "User Commands"`,
    '.SH NAME',
    `${inline(name)} \\- ${inline(program.description().replace(/\.$/, ''))}`,
    '.SH SYNOPSIS',
    `.B ${inline(name)}`,
    '[\\fIoptions\\fR] \\fIcommand\\fR [\\fIarguments\\fR]',
    '.SH DESCRIPTION',
    paragraph(program.description()),
    '.PP',
    paragraph(
      'Flags of a command stand after its name. A switch may also be written as --flag=true or --flag=false. Without a configuration file the defaults count; generate-config prints them, with explanations.',
    ),
    '.SH OPTIONS',
    ...optionsOf(program, help),
    '.SH COMMANDS',
    ...commands.flatMap((command) => commandSection(command, help)),
    '.SH EXIT STATUS',
    ...exits.flatMap(([code, meaning]) => entry(`.B ${inline(code)}`, meaning)),
    '.SH SIGNALS',
    ...signals.flatMap(([signal, meaning]) => entry(`.B ${inline(signal)}`, meaning)),
  ];
  return `${lines.join('\n')}\n`;
}

function commandSection(command: Command, help: Help): readonly string[] {
  const choices = command.registeredArguments.flatMap((one) => one.argChoices ?? []);
  return [
    `.SS "${inline(help.commandUsage(command))}"`,
    paragraph(command.description()),
    ...(choices.length === 0 ? [] : ['.PP', paragraph(`One of: ${choices.join(', ')}.`)]),
    ...optionsOf(command, help),
  ];
}

function optionsOf(command: Command, help: Help): readonly string[] {
  return help
    .visibleOptions(command)
    .flatMap((option) => entry(`.B ${inline(help.optionTerm(option))}`, help.optionDescription(option)));
}

function entry(term: string, meaning: string): readonly string[] {
  return ['.TP', term, paragraph(meaning)];
}

/** Text as a line of its own, which must not look like a request of roff. */
function paragraph(text: string): string {
  const line = inline(text);
  return /^[.']/.test(line) ? `\\&${line}` : line;
}

/** Text within a line. A bare hyphen would be typeset, and could not be copied as a flag. */
function inline(text: string): string {
  return text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll('"', '\\(dq').replaceAll('\n', ' ');
}
