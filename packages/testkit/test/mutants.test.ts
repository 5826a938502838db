import { afterAll, expect, it } from 'vitest';
import { runConformance } from '../src/index.ts';
import { endMutants, mutants } from './mutants.ts';

afterAll(endMutants);

// Beside each other: those that hang are found by waiting.
it.concurrent.for(mutants)('$caughtBy catches a backend that $does', async ({ caughtBy, finding, subject }) => {
  const { checks, isPassed } = await runConformance(subject(), { only: [caughtBy] });
  expect(checks).toEqual([
    expect.objectContaining({ id: caughtBy, status: 'failed', reason: expect.stringMatching(finding) }),
  ]);
  expect(isPassed).toBe(false);
});
