import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UserError } from '../user-error.ts';
import { parseEnvFile, parseOutputFile, parsePathFile, parseStateFile, whyProtected } from './command-files.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const output = (text: string): Record<string, string> => Object.fromEntries(parseOutputFile(bytes(text)));

function problemOf(parse: () => unknown): { code: string; message: string } {
  try {
    parse();
  } catch (error) {
    if (error instanceof UserError) return { code: error.code, message: error.message };
    throw error;
  }
  throw new Error('expected an error');
}

describe('parseOutputFile', () => {
  it.each<[string, string, Record<string, string>]>([
    ['nothing', '', {}],
    ['a value', 'a=b\n', { a: 'b' }],
    ['a last line without its end', 'a=b', { a: 'b' }],
    ['an empty value', 'a=\n', { a: '' }],
    ['a value with "="', 'a=b=c\n', { a: 'b=c' }],
    ['"=" before "<<"', 'a=b<<c\n', { a: 'b<<c' }],
    ['blank space of a value', 'a= b \n', { a: ' b ' }],
    ['blank lines between values', '\n  \na=b\n\n\nc=d\n\r\n', { a: 'b', c: 'd' }],
    ['the last of two values', 'a=1\nb=2\na=3\n', { a: '3', b: '2' }],
    ['CRLF', 'a=b\r\nc=d\r\n', { a: 'b', c: 'd' }],
    ['a byte order mark', '\uFEFFa=b\n', { a: 'b' }],
    ['a block', 'a<<EOF\none\ntwo\nEOF\nb=c\n', { a: 'one\ntwo', b: 'c' }],
    ['a block without a last line end', 'a<<EOF\none\nEOF', { a: 'one' }],
    ['an empty block', 'a<<EOF\nEOF\n', { a: '' }],
    ['a block of one blank line', 'a<<EOF\n\nEOF\n', { a: '' }],
    ['blank lines in a block', 'a<<EOF\n\n\none\n\nEOF\n', { a: '\n\none\n' }],
    ['what looks like the delimiter', 'a<<EOF\n EOF\nEOF \nxEOF\nEOF\n', { a: ' EOF\nEOF \nxEOF' }],
    ['"=" in a delimiter', 'a<<E=F\none\nE=F\n', { a: 'one' }],
    ['a block with CRLF', 'a<<EOF\r\none\r\ntwo\r\nEOF\r\nb=c\r\n', { a: 'one\r\ntwo', b: 'c' }],
    ['a CR of the value', 'a<<EOF\none\r\nEOF\n', { a: 'one\r' }],
    ['names from the prototype', '__proto__x=1\nconstructor=2\n', { __proto__x: '1', constructor: '2' }],
  ])('reads %s', (_title, text, expected) => {
    expect(output(text)).toEqual(expected);
  });

  it('reads UTF-16 with its mark, as Windows PowerShell writes it', () => {
    const text = Buffer.from('\uFEFFa=ü\r\n', 'utf16le');
    expect([...parseOutputFile(text)]).toEqual([['a', 'ü']]);
  });

  it('reads a value of ten megabytes in lines', () => {
    const value = 'x'.repeat(99).concat('\n').repeat(100_000);
    expect(parseOutputFile(bytes(`a<<EOF\n${value}EOF\n`)).get('a')).toBe(value.slice(0, -1));
    expect(parseOutputFile(bytes(`a=${'y'.repeat(10_000_000)}`)).get('a')).toHaveLength(10_000_000);
  });

  it.each([
    [
      'a=b\nsecret line\n',
      'GITHUB_OUTPUT:2:1: expected name=value or name<<DELIMITER, found a line with neither "=" nor "<<"',
    ],
    ['=b', 'GITHUB_OUTPUT:1:1: expected a name, found a line that begins without one'],
    ['\n <<EOF\nx\nEOF', 'GITHUB_OUTPUT:2:1: expected a name, found a line that begins without one'],
    ['a<<\nx\n', 'GITHUB_OUTPUT:1:1: expected a delimiter after "<<", found the end of the line'],
    [
      'b=c\na<<EOF\nx\n',
      'GITHUB_OUTPUT:2:1: expected a line further down that is the delimiter and nothing else, found the end of the file',
    ],
  ])('refuses %j', (text, message) => {
    expect(problemOf(() => output(text))).toEqual({ code: 'FRR603', message });
  });

  it('reads back every value that was written as a block', () => {
    const name = fc.string({ minLength: 1 }).filter((text) => text.trim() !== '' && !/[\r\n=]|<</.test(text));
    const value = fc.oneof(
      fc.string({ unit: 'binary' }).map((text) => text.toWellFormed()),
      fc.string({ unit: fc.constantFrom('\n', '\r', 'E', 'EOF', '=', '<', ' ') }),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value)), (entries) => {
        fc.pre(!entries.some(([key]) => key.startsWith('\uFEFF') || key.endsWith('<')));
        const text = entries.map(([key, content]) => `${key}<<DELIMITER-1\n${content}\nDELIMITER-1\n`).join('');
        expect(parseOutputFile(bytes(text))).toEqual(new Map(entries));
      }),
    );
  });

  it('reads any bytes, or says what is wrong', () => {
    expect.hasAssertions();
    const text = fc.string({ unit: fc.constantFrom('a', '=', '<<', '\n', '\r', ' ', '\0', '\uFEFF') });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), text.map(bytes)), (content) => {
        const result = attempt(() => parseOutputFile(content));
        expect(result instanceof Map || (result instanceof UserError && result.code === 'FRR603')).toBe(true);
      }),
    );
  });
});

function attempt(action: () => unknown): unknown {
  try {
    return action();
  } catch (error) {
    return error;
  }
}

describe('the other command files', () => {
  it('names the file in what is wrong', () => {
    expect(problemOf(() => parseEnvFile(bytes('x'))).message).toMatch(/^GITHUB_ENV:1:1: /);
    expect(problemOf(() => parseStateFile(bytes('x'))).message).toMatch(/^GITHUB_STATE:1:1: /);
  });

  it('reads state like outputs', () => {
    expect([...parseStateFile(bytes('a=1\nb<<X\n2\nX\n'))]).toEqual([
      ['a', '1'],
      ['b', '2'],
    ]);
  });

  it('refuses zero bytes in what becomes an environment variable', () => {
    expect(problemOf(() => parseEnvFile(bytes('a=b\0c'))).message).toBe(
      'GITHUB_ENV:1:1: expected text, found a zero byte',
    );
    expect(problemOf(() => parsePathFile(bytes('/a\n/b\0'))).message).toBe(
      'GITHUB_PATH:2:1: expected a path, found a zero byte',
    );
  });

  it('reads folders line by line', () => {
    expect(parsePathFile(bytes('\uFEFF/opt/a b\r\n\n/opt/c=d\n  \n/opt/e'))).toEqual([
      '/opt/a b',
      '/opt/c=d',
      '/opt/e',
    ]);
  });

  it.each([
    ['NODE_OPTIONS', true],
    ['node_options', true],
    ['GITHUB_TOKEN', false],
    ['GITHUB_MINE', false],
    ['GITHUB_WORKSPACE', true],
    ['FORGEJO_SHA', true],
    ['RUNNER_TEMP', true],
    ['CI', false],
    ['PATH', false],
    ['MY_GITHUB_TOKEN', false],
    ['RUNNERS', false],
  ])('protects %s: %j', (name, isProtected) => {
    expect(whyProtected(name) !== undefined).toBe(isProtected);
  });
});
