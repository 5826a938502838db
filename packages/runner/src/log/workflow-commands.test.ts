import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { afterCommand, initialCommands, mayBeCommand, readCommand, type WorkflowCommand } from './workflow-commands.ts';

function encodeData(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

const read = (line: string): WorkflowCommand | undefined => readCommand(line, initialCommands);

describe('readCommand', () => {
  it.each<[string, WorkflowCommand]>([
    ['::group::Install', { kind: 'group', title: 'Install' }],
    ['  ::group::Install', { kind: 'group', title: 'Install' }],
    ['::GROUP::Install', { kind: 'group', title: 'Install' }],
    ['##[group]Install', { kind: 'group', title: 'Install' }],
    ['::group::a::b', { kind: 'group', title: 'a::b' }],
    ['::endgroup::', { kind: 'endgroup' }],
    ['##[endgroup]', { kind: 'endgroup' }],
    ['::debug::x', { kind: 'debug', message: 'x' }],
    ['::add-mask::s3cret', { kind: 'add-mask', value: 's3cret' }],
    ['::add-mask::two%0Alines', { kind: 'add-mask', value: 'two\nlines' }],
    ['::add-mask::  ', { kind: 'refused', name: 'add-mask', reason: 'expected a value to mask' }],
    ['::add-matcher::.github/m.json', { kind: 'add-matcher', file: '.github/m.json' }],
    ['::add-matcher::', { kind: 'refused', name: 'add-matcher', reason: 'expected the path of a file' }],
    ['::remove-matcher owner=eslint::', { kind: 'remove-matcher', owner: 'eslint' }],
    ['##[remove-matcher owner=eslint]', { kind: 'remove-matcher', owner: 'eslint' }],
    ['::remove-matcher::m.json', { kind: 'remove-matcher-file', file: 'm.json' }],
    [
      '::remove-matcher::',
      { kind: 'refused', name: 'remove-matcher', reason: 'expected a property owner or the path of a file' },
    ],
    ['::save-state name=a::b', { kind: 'save-state', name: 'a', value: 'b' }],
    ['::set-output name=a::', { kind: 'set-output', name: 'a', value: '' }],
    ['::set-output name=a::x=y::z', { kind: 'set-output', name: 'a', value: 'x=y::z' }],
    ['::set-output::b', { kind: 'refused', name: 'set-output', reason: 'expected a property name' }],
    ['::set-env name=A=B::c', { kind: 'set-env', name: 'A=B', value: 'c' }],
    ['::add-path::/opt/bin', { kind: 'add-path', path: '/opt/bin' }],
    ['::add-path::', { kind: 'refused', name: 'add-path', reason: 'expected a path' }],
    ['::echo::on', { kind: 'echo', isOn: true }],
    ['::echo::OFF', { kind: 'echo', isOn: false }],
    ['::echo::maybe', { kind: 'refused', name: 'echo', reason: 'expected on or off' }],
    ['::stop-commands::pause-1', { kind: 'stop', token: 'pause-1' }],
    ['::stop-commands::', { kind: 'refused', name: 'stop-commands', reason: 'expected a token' }],
    [
      '::stop-commands::Error',
      { kind: 'refused', name: 'stop-commands', reason: 'expected a token that is no name of a command' },
    ],
    ['::error::broken', { kind: 'annotation', annotation: { level: 'error', message: 'broken' } }],
    [
      '::warning file=a%2Cb%3A.ts,line=3,endLine=4,col=5,endColumn=6,title=T=1::two%0Alines',
      {
        kind: 'annotation',
        annotation: {
          level: 'warning',
          message: 'two\nlines',
          title: 'T=1',
          file: 'a,b:.ts',
          line: 3,
          endLine: 4,
          column: 5,
          endColumn: 6,
        },
      },
    ],
    [
      '##[notice file=a%3B%5D.ts; line=x]text',
      { kind: 'annotation', annotation: { level: 'notice', message: 'text', file: 'a;].ts' } },
    ],
  ])('understands %j', (line, expected) => {
    expect(read(line)).toEqual(expected);
  });

  it.each([
    'text',
    '',
    '::',
    '::group',
    ':::group::x',
    'x ::group::y',
    '::unknown::x',
    '##[unknown]x',
    '##[group',
    '::group x',
    '::std::vector<int>::push_back',
    '::constructor::x',
    '::__proto__::x',
  ])('takes %j for text', (line) => {
    expect(read(line)).toBeUndefined();
  });

  it.each([
    ['%250A', '%0A'],
    ['%25250A', '%250A'],
    ['%0D%0A', '\r\n'],
    ['%0a', '%0a'],
    ['%3A%2C', '%3A%2C'],
    ['%', '%'],
    ['%2', '%2'],
  ])('decodes the data %j once', (data, message) => {
    expect(read(`::debug::${data}`)).toEqual({ kind: 'debug', message });
  });

  it('decodes what a process encodes, for every value', () => {
    const encodeProperty = (text: string): string => encodeData(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string(), (name, value) => {
        const line = `::set-output name=${encodeProperty(name)}::${encodeData(value)}`;
        expect(read(line)).toEqual({ kind: 'set-output', name, value });
      }),
    );
  });

  it('takes any text', () => {
    expect.hasAssertions();
    const piece = fc.oneof(
      fc.string(),
      fc.constantFrom('::', '##[', ']', '=', ',', '%', 'error', 'stop-commands', ' '),
    );
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const line = pieces.join('');
        // Whatever is a command is recognized by its beginning too.
        expect(read(line) === undefined || mayBeCommand(line, initialCommands)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});

describe('stopping commands', () => {
  const stopped = afterCommand(initialCommands, { kind: 'stop', token: 'pa::use' });

  it.each([
    ['::error::x', undefined],
    ['::add-mask::x', undefined],
    ['::stop-commands::other', undefined],
    ['::pa::', undefined],
    ['::PA::USE::', undefined],
    ['::pa::use::', { kind: 'resume' }],
    [' ::pa::use::more', { kind: 'resume' }],
  ])('reads %j as %j', (line, expected) => {
    expect(readCommand(line, stopped)).toEqual(expected);
  });

  it('goes on after the token and keeps the echo', () => {
    const echoing = afterCommand(initialCommands, { kind: 'echo', isOn: true });
    const resumed = afterCommand(afterCommand(echoing, { kind: 'stop', token: 't' }), { kind: 'resume' });
    expect(resumed).toEqual({ isEchoing: true });
    expect(afterCommand(resumed, { kind: 'endgroup' })).toBe(resumed);
  });
});

describe('mayBeCommand', () => {
  it.each([
    ['::set-output name=x::aaaa', true],
    ['  ##[error]', true],
    ['::std::vector', false],
    ['text ::error::', false],
  ])('%j: %j', (beginning, expected) => {
    expect(mayBeCommand(beginning, initialCommands)).toBe(expected);
    expect(mayBeCommand(beginning, { stopToken: 'x', isEchoing: false })).toBe(false);
  });
});
