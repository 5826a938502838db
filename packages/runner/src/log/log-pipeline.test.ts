import { Buffer } from 'node:buffer';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LogRow, LogSection } from '../report/job-report.ts';
import type { Annotation } from './annotations.ts';
import { type EngineCommand, openStepLog, type StepLog, type StepLogOptions } from './log-pipeline.ts';
import { Masker } from './masker.ts';
import { ProblemMatchers } from './problem-matchers.ts';

interface Recorded {
  readonly log: StepLog;
  readonly masker: Masker;
  readonly rows: string[];
  readonly batches: (readonly LogRow[])[];
  readonly annotations: Annotation[];
  readonly commands: EngineCommand[];
}

const section: LogSection = { kind: 'step', index: 2, stage: 'main' };

function record(options: Partial<StepLogOptions> = {}, files: Readonly<Record<string, string>> = {}): Recorded {
  const masker = new Masker();
  const rows: string[] = [];
  const batches: (readonly LogRow[])[] = [];
  const annotations: Annotation[] = [];
  const commands: EngineCommand[] = [];
  const log = openStepLog({
    section,
    masker,
    isDebug: false,
    now: () => 1000,
    report: {
      rows: (_section, batch) => {
        batches.push(batch);
        rows.push(...batch.map(({ text }) => text));
      },
      annotation: (annotation) => annotations.push(annotation),
    },
    commands: {
      handle: (command) => {
        commands.push(command);
      },
      readFile: async (path) => {
        const text = files[path];
        if (text === undefined) throw new Error('no such file');
        return text;
      },
    },
    ...options,
  });
  return { log, masker, rows, batches, annotations, commands };
}

const bytes = (text: string): Uint8Array => Buffer.from(text);

async function rowsFor(text: string, options: Partial<StepLogOptions> = {}): Promise<readonly string[]> {
  const { log, rows } = record(options);
  await log.stdout(bytes(text));
  await log.close();
  return rows;
}

describe('openStepLog', () => {
  it.each<[string, string, readonly string[]]>([
    ['lines', 'a\nb\n', ['a', 'b']],
    ['empty lines', '\n\na\n', ['', '', 'a']],
    ['a last line without its newline', 'a\nb', ['a', 'b']],
    ['CRLF', 'a\r\nb\r\r\n', ['a', 'b']],
    ['a carriage return within a line', '10%\r20%\n', ['10%\r20%']],
    ['colours', '\u001b[31mred\u001b[0m\n', ['\u001b[31mred\u001b[0m']],
    ['groups', '::group::One\nx\n::endgroup::\n', ['##[group]One', 'x', '##[endgroup]']],
    ['groups in the other form', '##[group]One\n##[endgroup]\n', ['##[group]One', '##[endgroup]']],
    ['no debug rows', '::debug::x\n', []],
    ['annotations', '::error file=a.ts,line=3::broken%0Amore\n', ['##[error]a.ts:3: broken', 'more']],
    ['no masks', '::add-mask::hunter2\nhunter2\n', ['***']],
    ['unknown commands', '::unknown::x\n', ['::unknown::x']],
    [
      'why a command was ignored',
      '::set-output::x\n',
      ['::set-output::x', '##[warning]The workflow command set-output was ignored: expected a property name'],
    ],
    [
      'a deprecated command once',
      '::set-output name=a::1\n::set-output name=b::2\n',
      ['##[warning]The workflow command set-output is deprecated; write to the file in $GITHUB_OUTPUT instead'],
    ],
    [
      'an unsafe command once',
      '::set-env name=a::1\n::set-env name=b::2\n',
      [
        '##[warning]The workflow command set-env was ignored, because any output could change later steps with it; write to the file in $GITHUB_ENV instead',
      ],
    ],
    [
      'commands after an echo',
      '::echo::on\n::save-state name=a::1\n::echo::off\n::save-state name=a::1\n',
      [
        '::echo::on',
        '::save-state name=a::1',
        '##[warning]The workflow command save-state is deprecated; write to the file in $GITHUB_STATE instead',
      ],
    ],
    ['stopped commands as text', '::stop-commands::t\n::error::x\n::t::\n::error::y\n', ['::error::x', '##[error]y']],
  ])('shows %s', async (_title, text, expected) => {
    await expect(rowsFor(text)).resolves.toEqual(expected);
  });

  it('shows debug rows and commands with debug on', async () => {
    const rows = await rowsFor('::debug::x\n::add-path::/a\n::add-mask::secret\n', {
      isDebug: true,
      allowUnsecureCommands: true,
    });
    expect(rows).toEqual(['##[debug]x', '::add-path::/a']);
  });

  it('hands on commands with the values that the process meant', async () => {
    const { log, commands } = record({ allowUnsecureCommands: true });
    await log.stdout(bytes('::add-mask::top%0Asecret\n::set-output name=a::top%25\n::save-state name=b::2\n'));
    await log.stderr(bytes('::set-env name=c::3\n::add-path::/d\n'));
    expect(commands).toEqual([
      { kind: 'add-mask', value: 'top\nsecret' },
      { kind: 'set-output', name: 'a', value: 'top%' },
      { kind: 'save-state', name: 'b', value: '2' },
      { kind: 'set-env', name: 'c', value: '3' },
      { kind: 'add-path', path: '/d' },
    ]);
  });

  it('hands on no unsafe commands unless they are allowed', async () => {
    const { log, commands } = record();
    await log.stdout(bytes('::set-env name=c::3\n::add-path::/d\n'));
    expect(commands).toEqual([]);
  });

  it('masks rows, groups and annotations', async () => {
    const { log, masker, rows, annotations } = record();
    masker.add('hunter2');
    await log.stdout(bytes('hunter2\n::group::hunter2\n::warning title=hunter2,file=hunter2.c::hunter2\n'));
    await log.line('I saw hunter2\nand hunter2');
    expect(rows).toEqual(['***', '##[group]***', '##[warning]***.c: ***: ***', 'I saw ***', 'and ***']);
    expect(annotations).toEqual([{ level: 'warning', message: '***', title: '***', file: '***.c', step: 2 }]);
  });

  it('reports no annotation of a section that is no step', async () => {
    const { log, rows, annotations } = record({ section: { kind: 'set-up' } });
    await log.stdout(bytes('::error::x\n'));
    expect(rows).toEqual(['##[error]x']);
    expect(annotations).toEqual([]);
  });

  it('does not read its own rows for commands', async () => {
    const { log, rows, commands } = record();
    await log.line('::set-output name=a::b');
    expect(rows).toEqual(['::set-output name=a::b']);
    expect(commands).toEqual([]);
  });

  it('keeps lines of the two streams apart', async () => {
    const { log, rows } = record();
    await log.stdout(bytes('out '));
    await log.stderr(bytes('err '));
    await log.stdout(bytes('one\n'));
    await log.stderr(bytes('two\n'));
    expect(rows).toEqual(['out one', 'err two']);
  });

  it('gives the rows of a chunk at once, with its time', async () => {
    const { log, batches } = record();
    await log.stdout(bytes('a\nb\n'));
    await log.stdout(bytes('c'));
    await log.close();
    await log.close();
    expect(batches).toEqual([
      [
        { atMs: 1000, text: 'a' },
        { atMs: 1000, text: 'b' },
      ],
      [{ atMs: 1000, text: 'c' }],
    ]);
  });

  it('takes characters apart and invalid bytes', async () => {
    const { log, rows } = record();
    for (const byte of bytes('aü🔑\n')) await log.stdout(Uint8Array.of(byte));
    await log.stdout(Uint8Array.of(0x61, 0xff, 0xc3, 0x0a));
    expect(rows).toEqual(['aü🔑', 'a\uFFFD\uFFFD']);
  });

  it('waits for the report before it takes more', async () => {
    const gate = Promise.withResolvers<void>();
    const taken: string[] = [];
    const { log } = record({
      report: {
        rows: async (_section, batch) => {
          taken.push(...batch.map(({ text }) => text));
          await gate.promise;
        },
        annotation: () => undefined,
      },
    });
    const first = log.stdout(bytes('a\n'));
    const second = log.stderr(bytes('b\n'));
    let isDone = false;
    const both = Promise.all([first, second]).then(() => (isDone = true));
    await new Promise(setImmediate);
    expect([taken, isDone]).toEqual([['a'], false]);
    gate.resolve();
    await both;
    expect(taken).toEqual(['a', 'b']);
  });

  it('tells the process side when the report fails, and goes on', async () => {
    let isBroken = true;
    const taken: string[] = [];
    const { log } = record({
      report: {
        rows: (_section, batch) => {
          if (isBroken) throw new Error('disk full');
          taken.push(...batch.map(({ text }) => text));
        },
        annotation: () => undefined,
      },
    });
    await expect(log.stdout(bytes('a\n'))).rejects.toThrow('disk full');
    isBroken = false;
    await log.stdout(bytes('b\n'));
    expect(taken).toEqual(['b']);
  });
});

describe('long lines', () => {
  const limit = 64 * 1024;

  it('shows a line of 64 KiB in one row', async () => {
    await expect(rowsFor(`${'x'.repeat(limit)}\r\n`)).resolves.toEqual(['x'.repeat(limit)]);
  });

  it('cuts a longer one between characters and marks the cuts', async () => {
    const line = '🔑ü'.repeat(40_000);
    const rows = await rowsFor(`${line}\nnext\n`);
    expect(rows).toHaveLength(5);
    expect(rows.map((row) => Buffer.byteLength(row) <= limit)).toEqual([true, true, true, true, true]);
    expect(rows.map((row) => [row.startsWith('…'), row.endsWith('…')])).toEqual([
      [false, true],
      [true, true],
      [true, true],
      [true, false],
      [false, false],
    ]);
    expect(rows.slice(0, 4).join('').replaceAll('…', '')).toBe(line);
  });

  it('hides a secret across the cut', async () => {
    const { log, masker, rows } = record();
    masker.add('hunter2-hunter3');
    for (let before = limit - 40; before <= limit + 10; before += 1) {
      await log.stdout(bytes(`${'x'.repeat(before)}hunter2-hunter3${'y'.repeat(100)}\n`));
    }
    const shown = rows.join('').replaceAll('…', '');
    expect(shown).not.toMatch(/hunter/);
    expect(shown.match(/\*\*\*/g)).toHaveLength(51);
  });

  it('cuts a row that grew by masking', async () => {
    const { log, masker, rows } = record();
    masker.add('q');
    await log.stdout(bytes(`${'qx'.repeat(30_000)}\n`));
    expect(rows).toHaveLength(2);
    expect(rows.join('').replaceAll('…', '')).toBe('***x'.repeat(30_000));
  });

  it('reads a long command', async () => {
    const value = 'v'.repeat(1_000_000);
    const { log, commands, rows } = record();
    await log.stdout(bytes(`::set-output name=a::${value}\nnext\n`));
    expect(commands).toEqual([{ kind: 'set-output', name: 'a', value }]);
    expect(rows.at(-1)).toBe('next');
  });

  it('drops a command that is too long, whatever it was to hide', async () => {
    const { log, commands, rows } = record();
    await log.stdout(bytes(`::add-mask::${'v'.repeat(5_000_000)}\nnext\n`));
    expect(commands).toEqual([]);
    expect(rows).toEqual(['##[warning]A workflow command with more than 4,194,304 characters was ignored', 'next']);
  });

  it('shows what looks like a command but is none', async () => {
    const rows = await rowsFor(`::std::${'v'.repeat(100_000)}\n::group ${'v'.repeat(100_000)}\n`);
    expect(rows).toHaveLength(4);
    expect(rows[2]?.startsWith('::group vvv')).toBe(true);
  });
});

describe('wild output', () => {
  const secrets = ['hunter2', 'a\nb-two', '::error::', 'xyzzy'];
  const piece = fc.oneof(
    fc.constantFrom(
      ...secrets,
      '\n',
      '\r',
      '::',
      'hun',
      'ter2',
      '::group::',
      '::warning file=',
      '%0A',
      '##[debug]',
      'é',
    ),
    fc.constantFrom('::stop-commands::x', '::x::', '::set-output name=a::', 'x'.repeat(70_000)),
    fc.string(),
  );

  it('becomes rows of one line without secrets, the same for all chunks', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(piece), fc.integer({ min: 1, max: 50_000 }), async (pieces, size) => {
        const text = bytes(pieces.join(''));
        const whole = record();
        const cut = record();
        for (const secret of secrets) for (const { masker } of [whole, cut]) masker.add(secret);
        await whole.log.stdout(text);
        for (let at = 0; at < text.length; at += size) await cut.log.stdout(text.subarray(at, at + size));
        await whole.log.close();
        await cut.log.close();
        expect(cut.rows).toEqual(whole.rows);
        expect(cut.annotations).toEqual(whole.annotations);
        for (const row of whole.rows) {
          expect(row).not.toMatch(/\n|hunter2|b-two|xyzzy/);
          expect(Buffer.byteLength(row)).toBeLessThanOrEqual(64 * 1024);
        }
      }),
    );
  });
});

describe('problem matchers in a log', () => {
  const matcher = JSON.stringify({
    problemMatcher: [{ owner: 'gcc', pattern: [{ regexp: '^(.+):(\\d+): (.+)$', file: 1, line: 2, message: 3 }] }],
  });

  it('marks the lines that match, until the matcher is removed', async () => {
    const matchers = new ProblemMatchers();
    const { log, rows, annotations, masker } = record({ matchers }, { 'm.json': matcher });
    masker.add('hunter2');
    await log.stdout(
      bytes('a.c:1: x\n::add-matcher::m.json\na.c:2: hunter2\nok\n::remove-matcher owner=gcc::\na.c:3: x\n'),
    );
    expect(rows).toEqual(['a.c:1: x', '##[error]a.c:2: ***', 'ok', 'a.c:3: x']);
    expect(annotations).toEqual([{ level: 'error', message: '***', file: 'a.c', line: 2, step: 2 }]);
  });

  it('keeps the matchers of a job for its next step', async () => {
    const matchers = new ProblemMatchers();
    const first = record({ matchers }, { 'm.json': matcher });
    await first.log.stdout(bytes('::add-matcher::m.json\n'));
    const second = record({ matchers }, { 'm.json': matcher });
    await second.log.stderr(bytes('a.c:2: x\n::remove-matcher::m.json\na.c:2: x\n'));
    expect(second.rows).toEqual(['##[error]a.c:2: x', 'a.c:2: x']);
  });

  it('says why a file cannot be used', async () => {
    const { log, rows } = record({}, { 'bad.json': '{"problemMatcher":[]}' });
    await log.stdout(bytes('::add-matcher::missing.json\n::add-matcher::bad.json\n'));
    expect(rows[0]).toBe('##[warning]The problem matchers in "missing.json" cannot be used: no such file');
    expect(rows[1]).toMatch(/^##\[warning\]The problem matchers in "bad.json" cannot be used: problemMatcher: /);
  });
});
