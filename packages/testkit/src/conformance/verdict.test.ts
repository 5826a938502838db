import { expect, it } from 'vitest';
import { type Verdict, verdictTable, verdictText } from './verdict.ts';

const verdict: Verdict = {
  suite: '1.0.0',
  api: '1.0.0',
  backend: 'acme',
  label: 'test:acme',
  lane: 'quick',
  date: '2026-01-01T00:00:00.000Z',
  ms: 1234,
  platform: 'linux-x64',
  isPassed: false,
  passed: 1,
  failed: 1,
  skipped: 1,
  checks: [
    { id: 'C01', title: 'first', status: 'passed', ms: 1 },
    { id: 'C02', title: 'second', status: 'failed', reason: 'expected a | b,\n\u001b[31mfound c', ms: 2 },
    { id: 'C03', title: 'third', status: 'skipped', reason: 'not here', ms: 0, measured: { 'MB/s': 12.345 } },
  ],
};

it('tells what did not pass and why, and counts', () => {
  expect(verdictText(verdict)).toBe(`✖ C02 second (2 ms)
      expected a | b,
      found c
– C03 third (0 ms, 12.3 MB/s)
      not here
backend acme, label test:acme: suite 1.0.0, lane quick: 1 passed, 1 failed, 1 skipped in 1.2 s`);
});

it('is a table that nothing in it can break', () => {
  expect(verdictTable(verdict)).toBe(`| id | check | result |
|---|---|---|
| C01 | first | passed |
| C02 | second | failed: expected a \\| b, found c |
| C03 | third | skipped: not here |`);
});
