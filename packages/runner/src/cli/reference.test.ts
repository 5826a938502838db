import { fileURLToPath } from 'node:url';
import type { Command, Option } from 'commander';
import { expect, it } from 'vitest';
import { fakeIo } from '../../test/fake-io.ts';
import { makeProgram } from './program.ts';

const page = fileURLToPath(new URL('../../../../docs/reference/cli.md', import.meta.url));

const introduction = `# Command line

For users of \`forgejo-runner\`: every command and flag. This page is made from the program; \`vitest -u\` writes it anew.

Names and defaults are those of the Go runner. A switch may also be written as \`--flag=true\` or \`--flag=false\`. Flags of a
command stand after its name. \`-c\` and \`--debug\` may stand before it as well.

## Exit codes

| code | meaning |
|---|---|
| 0 | done; a job that \`daemon\` or \`one-job\` ran may have failed |
| 1 | a job failed, a file is not valid, or the command could not do what it was asked for |
| 2 | \`one-job\` found no job |
| 64 | the command line is wrong |
| 70 | a defect of the runner |
| 130, 143 | ended by SIGINT (Ctrl-C) or SIGTERM |

The first signal asks a command to finish in good order, the second to hurry, and the third ends the process.

## Secrets on the command line

\`--token\` and \`--secret\` of \`register\` and \`create-runner-file\` can be seen by other users of the machine, too.
\`--secret NAME=value\` can be seen by other users of the machine. \`--secret NAME\` takes the value from the variable of that
name, and asks on the terminal, without showing what is typed, where there is none. Names count in upper case.
`;

it('is documented flag by flag', async () => {
  const context = { io: fakeIo().io, factories: { register: () => {}, get: () => undefined, list: () => [] } };
  const program = makeProgram(
    context,
    () => Promise.resolve(context),
    () => {},
  );
  const parts = [section(program), ...program.commands.map(section)];
  await expect(introduction + parts.join('')).toMatchFileSnapshot(page);
});

function section(command: Command): string {
  const rows = command.options.map((option) => {
    const cells = [`\`${option.flags.replace(' [boolean]', '')}\``, byDefault(option), option.description];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`;
  });
  const usage = [
    command.parent?.name(),
    command.name(),
    ...command.registeredArguments.map((one) => `<${one.name()}>`),
  ];
  const choices = command.registeredArguments.flatMap((one) => one.argChoices ?? []);
  const words = choices.length === 0 ? '' : `\nOne of: ${choices.join(', ')}.\n`;
  const title = usage.filter((part) => part !== undefined).join(' ');
  return `\n## ${title}\n\n${command.description()}\n${words}\n| flag | default | meaning |\n|---|---|---|\n${rows.join('')}`;
}

/** What is not given: a switch is off, whatever the attribute behind a \`--no-\` is. */
function byDefault({ defaultValue, negate }: Option): string {
  if (typeof defaultValue === 'boolean') return defaultValue !== negate ? 'on' : '';
  return typeof defaultValue === 'string' && defaultValue !== '' ? `\`${defaultValue}\`` : '';
}
