import { UserError } from '../user-error.ts';

/** A command file by the variable that names it. */
type FileName = 'GITHUB_ENV' | 'GITHUB_OUTPUT' | 'GITHUB_STATE' | 'GITHUB_PATH';

/**
 * Reads what a step wrote to `GITHUB_ENV`. Whether the step may set a variable, {@link whyProtected} says.
 * @throws {UserError} `FRR603` with the line that is wrong, as for all command files.
 */
export function parseEnvFile(content: Uint8Array): ReadonlyMap<string, string> {
  return parseVariables('GITHUB_ENV', content);
}

/** Reads what a step wrote to `GITHUB_OUTPUT`. @throws {UserError} `FRR603` */
export function parseOutputFile(content: Uint8Array): ReadonlyMap<string, string> {
  return parseVariables('GITHUB_OUTPUT', content);
}

/** Reads what a step wrote to `GITHUB_STATE`. @throws {UserError} `FRR603` */
export function parseStateFile(content: Uint8Array): ReadonlyMap<string, string> {
  return parseVariables('GITHUB_STATE', content);
}

/** Reads what a step wrote to `GITHUB_PATH`: a folder a line, the last one first in the search. @throws {UserError} `FRR603` */
export function parsePathFile(content: Uint8Array): readonly string[] {
  const folders: string[] = [];
  const cursor = new Cursor(decode(content));
  for (let line = cursor.next(); line !== undefined; line = cursor.next()) {
    if (line.text.includes('\0')) throw malformed('GITHUB_PATH', line.number, 'a path', 'a zero byte');
    if (line.text.trim() !== '') folders.push(line.text);
  }
  return folders;
}

/** Default variables of a step, after `GITHUB_` and `FORGEJO_`. Not the token: to hand steps another one is common. */
const defaults: ReadonlySet<string> = new Set(
  (
    'ACTION ACTION_PATH ACTION_REF ACTION_REPOSITORY ACTIONS ACTOR ACTOR_ID API_URL BASE_REF ENV EVENT_NAME EVENT_PATH ' +
    'GRAPHQL_URL HEAD_REF JOB OUTPUT PATH REF REF_NAME REF_PROTECTED REF_TYPE REPOSITORY REPOSITORY_ID ' +
    'REPOSITORY_OWNER REPOSITORY_OWNER_ID RETENTION_DAYS RUN_ATTEMPT RUN_ID RUN_NUMBER SERVER_URL SHA STATE ' +
    'STEP_SUMMARY TRIGGERING_ACTOR WORKFLOW WORKFLOW_REF WORKFLOW_SHA WORKSPACE'
  ).split(' '),
);

/**
 * Why a step may not set this variable by `GITHUB_ENV`, or `undefined` where it may. GitHub documents that the default
 * variables cannot be overwritten and that `NODE_OPTIONS` is refused, because Node runs what it names.
 */
export function whyProtected(name: string): string | undefined {
  const upper = name.toUpperCase();
  if (upper === 'NODE_OPTIONS') return 'it would change every action that runs on Node; set it by "env" of a step';
  const match = /^(?:GITHUB|FORGEJO|RUNNER)_(.+)$/s.exec(upper);
  if (match === null || (!upper.startsWith('RUNNER_') && !defaults.has(match[1] ?? ''))) return undefined;
  return 'it belongs to the runner; choose another name';
}

/**
 * `name=value` lines and `name<<DELIMITER` blocks; of `=` and `<<` the first decides. Blank lines between them do not
 * count, the last value of a name holds. Line ends are LF or CRLF: inside of a block they stay as they are written.
 */
function parseVariables(file: FileName, content: Uint8Array): ReadonlyMap<string, string> {
  const variables = new Map<string, string>();
  const cursor = new Cursor(decode(content));
  for (let line = cursor.next(); line !== undefined; line = cursor.next()) {
    if (line.text.trim() === '') continue;
    const equals = line.text.indexOf('=');
    const block = line.text.indexOf('<<');
    if (equals < 0 && block < 0) {
      throw malformed(file, line.number, 'name=value or name<<DELIMITER', 'a line with neither "=" nor "<<"');
    }
    const isBlock = equals < 0 || (block >= 0 && block < equals);
    const name = line.text.slice(0, isBlock ? block : equals);
    if (name.trim() === '') throw malformed(file, line.number, 'a name', 'a line that begins without one');
    const value = isBlock ? readBlock(file, cursor, line, line.text.slice(block + 2)) : line.text.slice(equals + 1);
    if (file === 'GITHUB_ENV' && (name.includes('\0') || value.includes('\0'))) {
      throw malformed(file, line.number, 'text', 'a zero byte');
    }
    variables.set(name, value);
  }
  return variables;
}

function readBlock(file: FileName, cursor: Cursor, header: Line, delimiter: string): string {
  if (delimiter === '') throw malformed(file, header.number, 'a delimiter after "<<"', 'the end of the line');
  const start = cursor.at;
  let end = start;
  for (let line = cursor.next(); line !== undefined; line = cursor.next()) {
    if (line.text === delimiter) return cursor.text.slice(start, Math.max(start, end));
    // The line end before the delimiter is not of the value. Where the block began with LF, a CR before it is.
    end = cursor.at - (header.hasReturn && line.hasReturn ? 2 : 1);
  }
  throw malformed(
    file,
    header.number,
    'a line further down that is the delimiter and nothing else',
    'the end of the file',
  );
}

interface Line {
  readonly text: string;
  /** Counts from 1. */
  readonly number: number;
  readonly hasReturn: boolean;
}

/** Goes through a text line by line without cutting it up first: values have megabytes. */
class Cursor {
  readonly text: string;
  at = 0;
  #number = 0;

  constructor(text: string) {
    this.text = text;
  }

  next(): Line | undefined {
    if (this.at >= this.text.length) return undefined;
    const newline = this.text.indexOf('\n', this.at);
    const end = newline < 0 ? this.text.length : newline;
    const hasReturn = end > this.at && this.text[end - 1] === '\r';
    const text = this.text.slice(this.at, hasReturn ? end - 1 : end);
    this.at = newline < 0 ? end : newline + 1;
    this.#number += 1;
    return { text, number: this.#number, hasReturn };
  }
}

/** UTF-8, or UTF-16 where a byte order mark says so: Windows PowerShell writes it. */
function decode(content: Uint8Array): string {
  if (content[0] === 0xff && content[1] === 0xfe) return new TextDecoder('utf-16le').decode(content);
  return new TextDecoder('utf-8').decode(content);
}

/** Without the line itself: one that is wrong is often the second line of a secret. */
function malformed(file: FileName, line: number, expected: string, found: string): UserError {
  return new UserError('FRR603', {
    problems: [{ message: `expected ${expected}, found ${found}`, at: { file, line, column: 1 } }],
    next: 'write values of several lines as a block: name<<DELIMITER, the value, DELIMITER, each on lines of their own',
  });
}
