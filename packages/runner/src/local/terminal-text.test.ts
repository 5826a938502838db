import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutTo, displayWidth, durationText, nameText, padTo, terminalText } from './terminal-text.ts';

describe('terminalText', () => {
  it.each([
    ['text', 'plain text\twith a tab', 'plain text\twith a tab'],
    ['colours', '\u001b[1;31mred\u001b[0m', '\u001b[1;31mred\u001b[0m\u001b[0m'],
    ['true colours', '\u001b[38:2:1:2:3mx', '\u001b[38:2:1:2:3mx\u001b[0m'],
    ['no cursor moves', 'a\u001b[2J\u001b[1;1H\u001b[10Ab', 'ab'],
    ['no private modes', '\u001b[?1049ha\u001b[?25l', 'a'],
    ['no look-alike of a colour', '\u001b[>4;1ma\u001b[?1m', 'a'],
    ['no title', '\u001b]0;owned\u0007a\u001b]2;owned\u001b\\b', 'ab'],
    ['no title without an end', 'a\u001b]0;owned', 'a'],
    ['no clipboard', '\u001b]52;c;AAAA\u0007a', 'a'],
    ['no links', '\u001b]8;;http://x\u001b\\a\u001b]8;;\u001b\\', 'a'],
    ['no device control', '\u001bP$q"p\u001b\\a\u001b_x\u001b\\b\u001b^x\u001b\\c\u001bXx\u001b\\d', 'abcd'],
    ['no other escapes', '\u001bca\u001b(0b\u001b7c\u001b=d', 'abcd'],
    ['no eight-bit controls', '\u009b2Ja\u009d0;t\u009cb\u0085c', 'abc'],
    ['no bells or backspaces', 'a\u0007b\u0008c\u0000d\u007f', 'abcd'],
    ['no unfinished sequence', 'a\u001b[', 'a'],
    ['the last state of a line', '10%\r20%\rdone', 'done'],
    ['the last state that is not empty', '10%\r20%\r', '20%'],
  ])('shows %s', (_title, row, expected) => {
    expect(terminalText(row, { colors: true })).toBe(expected);
  });

  it('takes colours out where there are none', () => {
    expect(terminalText('\u001b[31mred\u001b[0m \u001b[2Kx', { colors: false })).toBe('red x');
  });

  it('leaves nothing that acts on a terminal, but styles', () => {
    const piece = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(
        '\u001b',
        '\u001b[',
        '\u001b]',
        '\u001bP',
        '\u009b',
        '\u009d',
        ';',
        '1',
        'm',
        'H',
        '\u0007',
        '\u001b\\',
        '\r',
      ),
    );
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const row = pieces.join('');
        expect(terminalText(row, { colors: false })).not.toMatch(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/);
        const styled = terminalText(row, { colors: true }).replaceAll(/\u001b\[[\d;:]*m/g, '');
        expect(styled).not.toMatch(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/);
      }),
      { numRuns: 1000 },
    );
  });

  it('is linear with hostile rows', () => {
    const row = '\u001b]'.repeat(30_000) + '\u001b[0'.repeat(30_000);
    expect(terminalText(row, { colors: true })).toBe('');
  });
});

describe('names and columns', () => {
  it('puts a name in one line', () => {
    expect(nameText('Run\n  \u001b[31mmake\u001b[0m\r\n\tall')).toBe('Run   make all');
  });

  it.each([
    ['abc', 3],
    ['ü', 1],
    ['u\u0308', 1],
    ['漢字', 4],
    ['🔑', 2],
    ['\u001b[31mabc\u001b[0m', 3],
  ])('%j takes %j columns', (text, width) => {
    expect(displayWidth(text)).toBe(width);
  });

  it('fills and cuts by columns', () => {
    expect([padTo('漢', 4), padTo('abcde', 4), cutTo('漢字漢字', 6), cutTo('abc', 3), cutTo('abcd', 3)]).toEqual([
      '漢  ',
      'abcde',
      '漢字…',
      'abc',
      'ab…',
    ]);
  });
});

describe('durationText', () => {
  it.each([
    [-5, '0 ms'],
    [0, '0 ms'],
    [12.4, '12 ms'],
    [999, '999 ms'],
    [999.9, '1.0 s'],
    [1234, '1.2 s'],
    [59_949, '59.9 s'],
    [59_950, '1 min 00 s'],
    [123_400, '2 min 03 s'],
    [3_599_600, '1 h 00 min'],
    [3_725_000, '1 h 02 min'],
  ])('%j ms is %s', (ms, text) => {
    expect(durationText(ms)).toBe(text);
  });
});
