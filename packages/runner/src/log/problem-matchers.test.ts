import { describe, expect, it } from 'vitest';
import { parseMatcherFile } from './matcher-file.ts';
import { MatcherRun, ProblemMatchers } from './problem-matchers.ts';

function matchersFor(...problemMatcher: readonly unknown[]): ProblemMatchers {
  const matchers = new ProblemMatchers();
  matchers.add(JSON.stringify({ problemMatcher }));
  return matchers;
}

const compact = {
  owner: 'compact',
  pattern: [
    {
      regexp: String.raw`^(.+):\sline\s(\d+),\scol\s(\d+),\s(Error|Warning|Info)\s-\s(.+)\s\((.+)\)$`,
      file: 1,
      line: 2,
      column: 3,
      severity: 4,
      message: 5,
      code: 6,
    },
  ],
};
const stylish = {
  owner: 'stylish',
  severity: 'warning',
  pattern: [
    { regexp: String.raw`^([^\s].*)$`, file: 1 },
    { regexp: String.raw`^\s+(\d+):(\d+)\s+(.+)$`, line: 1, column: 2, message: 3, loop: true },
  ],
};

function always(owner: string, severity: string): object {
  return { owner, severity, pattern: [{ regexp: '(.+)', message: 1 }] };
}

describe('MatcherRun', () => {
  it.each([
    ['Error', 'error'],
    ['Warning', 'warning'],
    ['Info', 'notice'],
  ])('reads a line of severity %s', (severity, level) => {
    const { remarks } = new MatcherRun(matchersFor(compact)).match([
      `badFile.js: line 50, col 11, ${severity} - 'myVar' is defined (no-unused-vars)`,
      'text',
    ]);
    expect(remarks).toEqual([
      { level, file: 'badFile.js', line: 50, column: 11, message: "no-unused-vars: 'myVar' is defined" },
      undefined,
    ]);
  });

  it('reads lines with colours', () => {
    const { remarks } = new MatcherRun(matchersFor(compact)).match([
      '\u001b[1ma.js\u001b[0m: line 1, col 2, \u001b[31mError\u001b[0m - broken (x)',
    ]);
    expect(remarks[0]?.file).toBe('a.js');
  });

  it('reads several lines with a loop, also over several calls', () => {
    const run = new MatcherRun(matchersFor(stylish));
    const first = run.match(['test.js', '  1:0   first', '  2:5   second']);
    const second = run.match(['  9:9   third', '', '  1:1   alone', 'other.js', '  3:1   fourth']);
    expect(
      [...first.remarks, ...second.remarks].map((remark) => remark && [remark.file, remark.line, remark.message]),
    ).toEqual([
      undefined,
      ['test.js', 1, 'first'],
      ['test.js', 2, 'second'],
      ['test.js', 9, 'third'],
      undefined,
      undefined,
      undefined,
      ['other.js', 3, 'fourth'],
    ]);
    expect(first.remarks[1]?.level).toBe('warning');
  });

  it('reads consecutive lines only', () => {
    const owner = {
      owner: 'three',
      pattern: [
        { regexp: '^file (.+)$', file: 1 },
        { regexp: String.raw`^at (\d+)$`, line: 1 },
        { regexp: '^because (.+)$', message: 1 },
      ],
    };
    const lines = [
      'file a',
      'at 1',
      'because x',
      'because y',
      'file b',
      '-',
      'at 2',
      'because z',
      'file c',
      'file d',
      'at 3',
      'because w',
    ];
    const { remarks } = new MatcherRun(matchersFor(owner)).match(lines);
    expect(remarks.filter((remark) => remark !== undefined)).toEqual([
      { level: 'error', file: 'a', line: 1, message: 'x' },
      { level: 'error', file: 'd', line: 3, message: 'w' },
    ]);
  });

  it.each([
    ['src/a.cs', 'proj/x.csproj', 'proj/src/a.cs'],
    ['/src/a.cs', 'proj/x.csproj', '/src/a.cs'],
    ['src\\a.cs', 'C:\\p\\x.csproj', 'C:\\p\\src\\a.cs'],
    ['a.cs', 'x.csproj', 'a.cs'],
  ])('counts %s from the folder of %s', (file, project, expected) => {
    const matchers = matchersFor({
      owner: 'x',
      pattern: [{ regexp: '^(.+)\\|(.+)\\|(.+)$', file: 1, fromPath: 2, message: 3 }],
    });
    expect(new MatcherRun(matchers).match([`${file}|${project}|m`]).remarks[0]?.file).toBe(expected);
  });

  it('asks the newest matcher first, and replaces one of the same owner', () => {
    const matchers = matchersFor(always('a', 'notice'));
    matchers.add(JSON.stringify({ problemMatcher: [always('b', 'warning')] }));
    expect(new MatcherRun(matchers).match(['x']).remarks[0]?.level).toBe('warning');
    matchers.add(JSON.stringify({ problemMatcher: [always('b', 'error')] }));
    expect(new MatcherRun(matchers).match(['x']).remarks[0]?.level).toBe('error');
    matchers.remove('b');
    expect(new MatcherRun(matchers).match(['x']).remarks[0]?.level).toBe('notice');
    matchers.remove('a');
    expect(matchers.isEmpty).toBe(true);
  });

  it('does not look at lines that are too long', () => {
    const run = new MatcherRun(matchersFor({ owner: 'x', pattern: [{ regexp: '(x+)', message: 1 }] }));
    expect(run.match(['x'.repeat(4096), 'x'.repeat(4097)]).remarks.map((remark) => remark !== undefined)).toEqual([
      true,
      false,
    ]);
  });

  it('stops a regular expression that does not end, and goes on with the others', () => {
    const matchers = matchersFor({ owner: 'evil', pattern: [{ regexp: '^(a+)+$', message: 1 }] }, compact);
    const run = new MatcherRun(matchers);
    const good = 'a.js: line 1, col 2, Error - broken (x)';
    const evil = `${'a'.repeat(60)}!`;
    const { remarks, notices } = run.match([good, evil, good, evil, evil, evil, good]);
    expect(remarks.map((remark) => remark?.line)).toEqual([1, undefined, 1, undefined, undefined, undefined, 1]);
    expect(notices).toEqual(['The problem matcher "evil" was removed: its regular expression took too long']);
    expect(matchers.current.map(({ owner }) => owner)).toEqual(['compact']);
  });

  it('gives up on matchers in a job that keeps adding hostile ones', () => {
    const matchers = new ProblemMatchers();
    const [matcher] = parseMatcherFile(JSON.stringify({ problemMatcher: [compact] }));
    if (matcher === undefined) throw new Error('expected a matcher');
    const notices = Array.from({ length: 30 }, () => matchers.strike({ ...matcher }));
    expect(notices.at(-1)).toBe('Problem matchers are off for the rest of the job: they took too long');
    matchers.add(JSON.stringify({ problemMatcher: [compact] }));
    expect(matchers.isEmpty).toBe(true);
  });
});

describe('parseMatcherFile', () => {
  it.each<[unknown, RegExp]>([
    [{}, /^problemMatcher: /],
    [{ problemMatcher: [{ owner: '', pattern: [{ regexp: 'x', message: 1 }] }] }, /^problemMatcher\.0\.owner: /],
    [{ problemMatcher: [{ owner: 'a', pattern: [] }] }, /^problemMatcher\.0\.pattern: /],
    [
      { problemMatcher: [{ owner: 'a', pattern: [{ regexp: '(', message: 1 }] }] },
      /"a": expected a regular expression, found "\("/,
    ],
    [
      { problemMatcher: [{ owner: 'a', pattern: [{ regexp: 'x' }] }] },
      /"a": expected "message" in a pattern, found none/,
    ],
    [
      { problemMatcher: [{ owner: 'a', pattern: [{ regexp: 'x', message: 1, loop: true }] }] },
      /"a": expected "loop" only in the last of several patterns, found it in pattern 1/,
    ],
    [
      {
        problemMatcher: [
          {
            owner: 'a',
            pattern: [
              { regexp: 'x', message: 1 },
              { regexp: 'y', message: 1 },
            ],
          },
        ],
      },
      /"a": expected "message" in one pattern, found it in 2/,
    ],
    [
      {
        problemMatcher: [
          {
            owner: 'a',
            pattern: [
              { regexp: 'x', message: 1 },
              { regexp: 'y', loop: true },
            ],
          },
        ],
      },
      /"a": expected "message" in the pattern that loops, found none/,
    ],
  ])('refuses %j', (value, message) => {
    expect(() => parseMatcherFile(JSON.stringify(value))).toThrow(message);
  });

  it('refuses what is no JSON', () => {
    expect(() => parseMatcherFile('{')).toThrow('expected JSON');
  });
});
