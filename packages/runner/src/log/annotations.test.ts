import { describe, expect, it } from 'vitest';
import { annotationOf, annotationRows } from './annotations.ts';
import { Masker } from './masker.ts';

const masker = new Masker();
masker.add('hunter2');

describe('annotationOf', () => {
  it('masks all text', () => {
    const remark = { level: 'error', message: 'a hunter2', title: 'hunter2!', file: 'hunter2.ts', line: 1 } as const;
    expect(annotationOf(remark, 3, masker)).toEqual({
      level: 'error',
      message: 'a ***',
      title: '***!',
      file: '***.ts',
      line: 1,
      step: 3,
    });
  });

  it('bounds the message', () => {
    const { message } = annotationOf({ level: 'notice', message: 'x'.repeat(100_000) }, 0, masker);
    expect(message).toBe(`${'x'.repeat(65_536)}…`);
  });
});

describe('annotationRows', () => {
  it.each([
    [{ level: 'error', message: 'm', step: 0 }, ['##[error]m']],
    [{ level: 'notice', message: 'a\r\nb\nc', step: 0 }, ['##[notice]a', 'b', 'c']],
    [{ level: 'warning', message: 'm', title: 'T', file: 'a.ts', line: 2, step: 0 }, ['##[warning]a.ts:2: T: m']],
    [{ level: 'warning', message: 'm', file: 'a.ts', line: 2, column: 9, step: 0 }, ['##[warning]a.ts:2:9: m']],
    [{ level: 'warning', message: 'm', file: 'a.ts', column: 9, step: 0 }, ['##[warning]a.ts: m']],
  ] as const)('shows %j', (annotation, rows) => {
    expect(annotationRows(annotation)).toEqual(rows);
  });
});
