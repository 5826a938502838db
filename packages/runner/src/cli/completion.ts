import type { Command, Option } from 'commander';
import type { CommandContext } from './command-context.ts';
import { exitCodes } from './exit-codes.ts';

/** `completion`: a script for a shell, made from the commands and flags that there are. */
export async function printCompletion(command: Command, { io }: CommandContext): Promise<number> {
  const program = command.parent ?? command;
  const script = scripts[command.args[0] ?? ''];
  io.stdout.write(script?.(describeCommands(program)) ?? '');
  return exitCodes.success;
}

interface Described {
  readonly name: string;
  readonly about: string;
  readonly flags: readonly Flag[];
  /** Words that may follow it. */
  readonly words: readonly string[];
}

interface Flag {
  readonly long: string;
  readonly short?: string;
  readonly about: string;
  readonly hasValue: boolean;
}

/** The program itself first, under an empty name, then its commands. */
function describeCommands(program: Command): readonly Described[] {
  const help = program.createHelp();
  const commands = help.visibleCommands(program);
  return [program, ...commands].map((command) => ({
    name: command === program ? '' : command.name(),
    about: command.summary() || command.description(),
    flags: help.visibleOptions(command).map((option) => describeFlag(option)),
    words:
      command === program || command.name() === 'help'
        ? commands.map((one) => one.name())
        : command.registeredArguments.flatMap((argument) => argument.argChoices ?? []),
  }));
}

function describeFlag({ long, short, description, required }: Option): Flag {
  return { long: long ?? '', ...(short === undefined ? {} : { short }), about: description, hasValue: required };
}

const scripts: Readonly<Record<string, (commands: readonly Described[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

function bashScript(commands: readonly Described[]): string {
  const names = commands.flatMap(({ name }) => (name === '' ? [] : [name]));
  const cases = commands.map(({ name, words, flags }) => {
    const offered = [...words, ...flags.flatMap(spellings)];
    const withValue = flags.filter((flag) => flag.hasValue).flatMap(spellings);
    return `    '${name}') words='${offered.join(' ')}'; takes_value=' ${withValue.join(' ')} ' ;;`;
  });
  return `# To use it: source <(forgejo-runner completion bash)
_forgejo_runner() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD - 1]}"
  local command='' words='' takes_value='' word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in
      ${names.join('|')}) command="$word"; break ;;
    esac
  done
  case "$command" in
${cases.join('\n')}
  esac
  COMPREPLY=()
  # A value is completed as a file, which is what -o default does with an empty answer.
  if [[ $takes_value != *" $previous "* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  fi
}
complete -o default -F _forgejo_runner forgejo-runner
`;
}

function zshScript(commands: readonly Described[]): string {
  const [program, ...below] = commands;
  const names = below.map(({ name }) => name);
  const cases = below.map(
    ({ name, flags, words }) =>
      `    ${name})\n      flags=(${zshFlags(flags)})\n      offered=(${words.join(' ')})\n      ;;`,
  );
  const described = below.map(({ name, about }) => quotedForShell(`${name}:${about}`));
  return `#compdef forgejo-runner
# To use it: source <(forgejo-runner completion zsh)
_forgejo_runner() {
  local -a flags offered
  local command=\${words[(r)(${names.join('|')})]}
  case $command in
${cases.join('\n')}
    *)
      flags=(${zshFlags(program?.flags ?? [])})
      offered=(${described.join(' ')})
      ;;
  esac
  if [[ \${words[CURRENT]} == -* ]]; then
    _describe -o flag flags
  elif (( \${#offered} )); then
    _describe word offered
  else
    _files
  fi
}
if [[ \${funcstack[1]} == _forgejo_runner ]]; then
  _forgejo_runner "$@"
else
  compdef _forgejo_runner forgejo-runner
fi
`;
}

function zshFlags(flags: readonly Flag[]): string {
  return flags
    .flatMap((flag) => spellings(flag).map((spelling) => quotedForShell(`${spelling}:${flag.about}`)))
    .join(' ');
}

function fishScript(commands: readonly Described[]): string {
  const lines = commands.flatMap(({ name, about, flags, words }) => {
    const when = name === '' ? '__fish_use_subcommand' : `__fish_seen_subcommand_from ${name}`;
    const start = `complete -c forgejo-runner -n '${when}'`;
    const own =
      name === '' ? [] : [`complete -c forgejo-runner -n __fish_use_subcommand -f -a ${name} -d ${forFish(about)}`];
    const offered = name === '' || words.length === 0 ? [] : [`${start} -f -a '${words.join(' ')}'`];
    return [...own, ...offered, ...flags.map((flag) => `${start} ${fishFlag(flag)}`)];
  });
  return `# To use it: forgejo-runner completion fish | source\n${lines.join('\n')}\n`;
}

function fishFlag({ long, short, about, hasValue }: Flag): string {
  const shortPart = short === undefined ? '' : ` -s ${short.slice(1)}`;
  return `-l ${long.slice(2)}${shortPart}${hasValue ? ' -r' : ''} -d ${forFish(about)}`;
}

function spellings({ long, short }: Flag): readonly string[] {
  return short === undefined ? [long] : [short, long];
}

/** In single quotes for bash and zsh, where nothing but the quote itself is special. */
function quotedForShell(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** In single quotes for fish, where the backslash is special as well. */
function forFish(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
