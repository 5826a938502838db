import { Buffer } from 'node:buffer';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Masker } from '../log/masker.ts';
import { stepSummary, summaryLimitBytes } from './step-summaries.ts';

const masker = new Masker();
masker.add('hunter2');
const summary = (text: string): string | undefined => stepSummary(Buffer.from(text), masker);

describe('stepSummary', () => {
  it('masks', () => {
    expect(summary('# Result\nhunter2\n')).toBe('# Result\n***\n');
  });

  it.each(['', ' \n\t\n'])('finds nothing in %j', (text) => {
    expect(summary(text)).toBeUndefined();
  });

  it('cuts what is too long, visibly', () => {
    expect(summary('x'.repeat(summaryLimitBytes))).toBe('x'.repeat(summaryLimitBytes));
    const cut = summary('x'.repeat(summaryLimitBytes + 1));
    expect(cut).toMatch(/^x+\n\n… \*This summary was cut at 1 MiB\.\*\n$/);
    expect(Buffer.byteLength(cut ?? '')).toBe(summaryLimitBytes);
  });

  it('cuts after masking, so that no half of a secret stays', () => {
    const cut = summary(`${'x'.repeat(summaryLimitBytes - 45)}${'hunter2 '.repeat(30)}`);
    expect(cut).not.toMatch(/hun/);
  });

  it('keeps a summary that masking made short enough', () => {
    expect(summary('hunter2 '.repeat(summaryLimitBytes / 8 + 100))).toBe('*** '.repeat(summaryLimitBytes / 8 + 100));
  });

  it('says that it was cut also where only the end was not read', () => {
    expect(summary(`a${'hunter2'.repeat(3 * summaryLimitBytes)}`)).toMatch(/^a\*\*\*\n\n… \*This/);
  });

  it('cuts between characters', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 8 }), fc.constantFrom('ü', '€', '🔑'), (before, character) => {
        const cut = summary('x'.repeat(before) + character.repeat(summaryLimitBytes / 2)) ?? '';
        expect(Buffer.byteLength(cut)).toBeGreaterThan(summaryLimitBytes - 4);
        expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(summaryLimitBytes);
        expect(cut).not.toContain('\uFFFD');
      }),
      { numRuns: 20 },
    );
  });
});
