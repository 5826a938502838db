import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { cronProblem } from './check-cron.ts';

it.each([
  '* * * * *',
  '*/15 0-6/2 1,15 jan-mar MON-FRI',
  '0 0 ? 12 7',
  ' 5  4 * * 0 ',
  '@daily',
  '@every 90m',
  'TZ=Europe/Berlin 5 4 * * *',
])('takes %j', (cron) => {
  expect(cronProblem(cron)).toBeUndefined();
});

it.each([
  ['bad', 'expected five fields for "cron" (minute hour day month weekday), found "bad"'],
  ['* * * *', 'expected five fields'],
  ['* * * * * *', 'expected five fields'],
  ['@dayly', 'expected five fields'],
  ['60 * * * *', 'expected a minute from 0 to 59, a range, * or a step for "cron", found "60"'],
  ['* 24 * * *', 'expected an hour from 0 to 23'],
  ['* * 0 * *', 'expected a day of the month from 1 to 31'],
  ['* * * 1,13 *', 'expected a month from 1 to 12, a range, * or a step for "cron", found "13"'],
  ['* * * * 8', 'expected a day of the week from 0 to 7'],
  ['* * * * funday', 'found "funday"'],
  ['5-1 * * * *', 'found "5-1"'],
  ['1-2-3 * * * *', 'found "1-2-3"'],
  ['*/0 * * * *', 'found "*/0"'],
  ['1/2/3 * * * *', 'found "1/2/3"'],
  ['1, * * * *', 'found ""'],
  ['- * * * *', 'found "-"'],
])('says what is wrong with %j', (cron, problem) => {
  expect(cronProblem(cron)).toContain(problem);
});

it('takes any text to an answer', () => {
  expect.hasAssertions();
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('*', '/', '-', ',', '1', '9', ' ', 'm', '@', '?') }), (text) => {
      expect(typeof (cronProblem(text) ?? '')).toBe('string');
    }),
  );
});
