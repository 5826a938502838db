import type { Annotation } from './annotations.ts';

/** What the commands before it leave behind for the next line. Each stage of a step starts with {@link initialCommands}. */
export interface CommandState {
  /** Set between `::stop-commands::token` and `::token::`. */
  readonly stopToken?: string;
  /** `::echo::on`: command lines are shown. */
  readonly isEchoing: boolean;
}

/** No token, and commands are not shown. */
export const initialCommands: CommandState = { isEchoing: false };

/** What a line of output asks for. Values are as the process meant them: decoded and not masked. */
export type WorkflowCommand =
  | { readonly kind: 'group'; readonly title: string }
  | { readonly kind: 'endgroup' }
  | { readonly kind: 'annotation'; readonly annotation: Remark }
  | { readonly kind: 'debug'; readonly message: string }
  | { readonly kind: 'add-mask'; readonly value: string }
  | { readonly kind: 'add-matcher'; readonly file: string }
  | { readonly kind: 'remove-matcher'; readonly owner: string }
  | { readonly kind: 'remove-matcher-file'; readonly file: string }
  | { readonly kind: 'save-state'; readonly name: string; readonly value: string }
  | { readonly kind: 'set-output'; readonly name: string; readonly value: string }
  | { readonly kind: 'set-env'; readonly name: string; readonly value: string }
  | { readonly kind: 'add-path'; readonly path: string }
  | { readonly kind: 'echo'; readonly isOn: boolean }
  | { readonly kind: 'stop'; readonly token: string }
  | { readonly kind: 'resume' }
  /** A command of ours that lacks something. The line is shown. */
  | { readonly kind: 'refused'; readonly name: string; readonly reason: string };

/** An annotation that does not know its step yet. */
export type Remark = Omit<Annotation, 'step'>;

/** A line that has the shape of a command. */
interface CommandLine {
  readonly name: string;
  readonly properties: ReadonlyMap<string, string>;
  readonly data: string;
}

const names: ReadonlySet<string> = new Set([
  'group',
  'endgroup',
  'error',
  'warning',
  'notice',
  'debug',
  'add-mask',
  'add-matcher',
  'remove-matcher',
  'save-state',
  'set-output',
  'set-env',
  'add-path',
  'echo',
  'stop-commands',
]);

/** Longer than any command's beginning that is worth reading. */
const longestBeginning = 200;

/**
 * Reads the command in a line of output, or finds that it is ordinary text (`undefined`). Names that nobody knows are
 * ordinary text, as is everything after `::stop-commands::token` up to `::token::`.
 *
 * Two forms: `::name key=value,key=value::data` and `##[name key=value;key=value]data`. Blank space before them does
 * not matter, nor does the case of names and keys. A value may contain `=`. Escapes are decoded once, from left to
 * right, upper case only: `%25`, `%0D`, `%0A`; in values of properties also `%3A` and `%2C`, in the second form
 * `%3B` and `%5D` too.
 */
export function readCommand(line: string, state: CommandState): WorkflowCommand | undefined {
  if (state.stopToken !== undefined) {
    return line.trimStart().startsWith(`::${state.stopToken}::`) ? { kind: 'resume' } : undefined;
  }
  const command = splitCommand(line);
  if (command === undefined || !names.has(command.name)) return undefined;
  return understand(command);
}

/** The state after a command. */
export function afterCommand(state: CommandState, command: WorkflowCommand): CommandState {
  if (command.kind === 'stop') return { ...state, stopToken: command.token };
  if (command.kind === 'resume') return { isEchoing: state.isEchoing };
  if (command.kind === 'echo') return { ...state, isEchoing: command.isOn };
  return state;
}

/** Whether a line that begins like this may be a command, so that it has to be read to its end. */
export function mayBeCommand(beginning: string, state: CommandState): boolean {
  if (state.stopToken !== undefined) return false;
  const match = /^\s*(?:::|##\[)([a-z-]+)(?=[:\s\]])/i.exec(beginning.slice(0, longestBeginning));
  return match !== null && names.has((match[1] ?? '').toLowerCase());
}

function splitCommand(line: string): CommandLine | undefined {
  const text = line.trimStart();
  if (text.startsWith('::')) {
    const end = text.indexOf('::', 2);
    return end < 0 ? undefined : commandLine(text.slice(2, end), text.slice(end + 2), ',');
  }
  if (text.startsWith('##[')) {
    const end = text.indexOf(']', 3);
    return end < 0 ? undefined : commandLine(text.slice(3, end), text.slice(end + 1), ';');
  }
  return undefined;
}

function commandLine(head: string, data: string, separator: ',' | ';'): CommandLine {
  const space = head.search(/\s/);
  const name = (space < 0 ? head : head.slice(0, space)).toLowerCase();
  const properties = new Map<string, string>();
  if (space >= 0) {
    for (const part of head.slice(space).split(separator)) {
      const equals = part.indexOf('=');
      if (equals < 0) continue;
      properties.set(part.slice(0, equals).trim().toLowerCase(), decodeProperty(part.slice(equals + 1), separator));
    }
  }
  return { name, properties, data: decode(data, /%25|%0D|%0A/g) };
}

function decodeProperty(value: string, separator: ',' | ';'): string {
  return decode(value, separator === ',' ? /%25|%0D|%0A|%3A|%2C/g : /%25|%0D|%0A|%3A|%2C|%3B|%5D/g);
}

/** One pass: `%250A` is the text `%0A`, not a newline. */
function decode(text: string, escapes: RegExp): string {
  return text.replaceAll(escapes, (escape) => String.fromCharCode(Number.parseInt(escape.slice(1), 16)));
}

function understand({ name, properties, data }: CommandLine): WorkflowCommand {
  switch (name) {
    case 'group':
      return { kind: 'group', title: data };
    case 'endgroup':
      return { kind: 'endgroup' };
    case 'debug':
      return { kind: 'debug', message: data };
    case 'add-mask':
      return data.trim() === '' ? refused(name, 'expected a value to mask') : { kind: 'add-mask', value: data };
    case 'add-matcher':
      return data.trim() === ''
        ? refused(name, 'expected the path of a file')
        : { kind: 'add-matcher', file: data.trim() };
    case 'remove-matcher':
      return removeMatcher(properties, data);
    case 'save-state':
    case 'set-output':
    case 'set-env':
      return named(name, properties, data);
    case 'add-path':
      return data === '' ? refused(name, 'expected a path') : { kind: 'add-path', path: data };
    case 'echo':
      return echo(data.trim().toLowerCase());
    case 'stop-commands':
      return stop(data.trim());
    case 'error':
    case 'warning':
    case 'notice':
      return { kind: 'annotation', annotation: remark(name, properties, data) };
    default:
      return refused(name, 'expected a known command');
  }
}

function named(
  kind: 'save-state' | 'set-output' | 'set-env',
  properties: ReadonlyMap<string, string>,
  value: string,
): WorkflowCommand {
  const name = properties.get('name') ?? '';
  return name === '' ? refused(kind, 'expected a property name') : { kind, name, value };
}

function removeMatcher(properties: ReadonlyMap<string, string>, data: string): WorkflowCommand {
  const owner = properties.get('owner') ?? '';
  if (owner !== '') return { kind: 'remove-matcher', owner };
  const file = data.trim();
  if (file !== '') return { kind: 'remove-matcher-file', file };
  return refused('remove-matcher', 'expected a property owner or the path of a file');
}

function echo(wish: string): WorkflowCommand {
  if (wish === 'on' || wish === 'off') return { kind: 'echo', isOn: wish === 'on' };
  return refused('echo', 'expected on or off');
}

/** A token that is a command's name would be ended by that command, in output of somebody else. */
function stop(token: string): WorkflowCommand {
  if (token === '') return refused('stop-commands', 'expected a token');
  if (names.has(token.toLowerCase())) return refused('stop-commands', 'expected a token that is no name of a command');
  return { kind: 'stop', token };
}

function remark(level: Annotation['level'], properties: ReadonlyMap<string, string>, message: string): Remark {
  const title = properties.get('title') ?? '';
  const file = properties.get('file') ?? '';
  const line = position(properties.get('line'));
  const endLine = position(properties.get('endline'));
  const column = position(properties.get('col') ?? properties.get('column'));
  const endColumn = position(properties.get('endcolumn'));
  return {
    level,
    message,
    ...(title === '' ? {} : { title }),
    ...(file === '' ? {} : { file }),
    ...(line === undefined ? {} : { line }),
    ...(endLine === undefined ? {} : { endLine }),
    ...(column === undefined ? {} : { column }),
    ...(endColumn === undefined ? {} : { endColumn }),
  };
}

/** A line or column, where the text is one. */
export function position(text: string | undefined): number | undefined {
  if (text === undefined || !/^\s*\d{1,9}\s*$/.test(text)) return undefined;
  return Number.parseInt(text, 10);
}

function refused(name: string, reason: string): WorkflowCommand {
  return { kind: 'refused', name, reason };
}
