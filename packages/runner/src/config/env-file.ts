import { readFile } from 'node:fs/promises';
import { shownPath } from '../shown-path.ts';
import { type Problem, UserError } from '../user-error.ts';

/** How a file of variables is read. */
interface ReadEnvFileOptions {
  readonly mayBeMissing: boolean;
  /** Messages name the file as seen from here. Default: by its path. */
  readonly cwd?: string;
}

/**
 * Reads a file of `NAME=value` lines, as the Go runner does for `--env-file` and `runner.env_file`: comments, `export`,
 * single quotes for a value as it stands, double quotes with escapes, `$NAME` for a variable set above, and quoted values
 * that go over several lines.
 *
 * @throws {UserError} `FRR102` where it cannot be read, `FRR103` where a line is malformed. Values are never quoted.
 */
export async function readEnvFile(path: string, options: ReadEnvFileOptions): Promise<ReadonlyMap<string, string>> {
  const shown = options.cwd === undefined ? path : shownPath(path, options.cwd);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (options.mayBeMissing && code === 'ENOENT') return new Map();
    const problem = { message: `expected a readable file with variables at ${JSON.stringify(shown)}, found ${code}` };
    throw new UserError('FRR102', { problems: [problem], cause: error });
  }
  return parseEnvFile(text, shown);
}

/** Reads the text of an environment file. @throws {UserError} `FRR103` at the first malformed line. */
export function parseEnvFile(text: string, file: string): ReadonlyMap<string, string> {
  const source = text.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n');
  const variables = new Map<string, string>();
  let at = 0;
  for (;;) {
    at = skip(/(?:\s+|#[^\n]*)*/y, source, at);
    if (at >= source.length) return variables;
    const named = match(/(?:export[^\S\n]+)?([\p{L}\p{N}_.]+)[^\S\n]*[=:][^\S\n]*/uy, source, at);
    if (named === undefined) throw malformed(source, at, { file, expected: 'NAME=value' });
    const value = readValue(source, at + named[0].length, variables);
    if (value === undefined) throw malformed(source, at, { file, expected: 'a quote that closes the value' });
    variables.set(named[1] ?? '', value.text);
    at = value.end;
  }
}

interface ReadValue {
  readonly text: string;
  readonly end: number;
}

type Variables = ReadonlyMap<string, string>;

function readValue(source: string, start: number, variables: Variables): ReadValue | undefined {
  const quote = source[start];
  if (quote !== '"' && quote !== "'") return readBareValue(source, start, variables);
  for (let end = source.indexOf(quote, start + 1); end >= 0; end = source.indexOf(quote, end + 1)) {
    if (source[end - 1] === '\\') continue;
    const inner = source.slice(start + 1, end);
    return { text: quote === '"' ? expand(unescape(inner), variables) : inner, end: end + 1 };
  }
  return undefined;
}

function readBareValue(source: string, start: number, variables: Variables): ReadValue {
  const newline = source.indexOf('\n', start);
  const end = newline < 0 ? source.length : newline;
  const line = source.slice(start, end);
  const comment = line.search(/(?:^|\s)#/);
  return { text: expand((comment < 0 ? line : line.slice(0, comment)).trim(), variables), end };
}

function unescape(text: string): string {
  const breaks: Readonly<Record<string, string>> = { n: '\n', r: '\r' };
  // `\$` stays for `expand`, which must not take it for a variable.
  return text.replaceAll(/\\([^$])/gs, (_, character: string) => breaks[character] ?? character);
}

function expand(text: string, variables: Variables): string {
  return text.replaceAll(/(\\)?\$(?:\{([A-Z0-9_]+)\}|([A-Z0-9_]+))?/g, (all, escape, braced, bare) => {
    if (escape !== undefined) return all.slice(1);
    const name: string | undefined = braced ?? bare;
    return name === undefined ? all : (variables.get(name) ?? '');
  });
}

function skip(pattern: RegExp, source: string, at: number): number {
  return at + (match(pattern, source, at)?.[0].length ?? 0);
}

function match(pattern: RegExp, source: string, at: number): RegExpExecArray | undefined {
  pattern.lastIndex = at;
  return pattern.exec(source) ?? undefined;
}

function malformed(source: string, at: number, what: { readonly file: string; readonly expected: string }): UserError {
  const line = source.slice(0, at).split('\n').length;
  const column = at - source.lastIndexOf('\n', at - 1);
  const problem: Problem = { message: `expected ${what.expected}`, at: { file: what.file, line, column } };
  return new UserError('FRR103', {
    problems: [problem],
    next: 'write one NAME=value a line, with quotes around spaces',
  });
}
