import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checks } from './checks.ts';
import { isInLane } from './check.ts';
import type { ConformanceOptions, Lane } from './options.ts';
import { openSession, type Session } from './session.ts';

/** How the suite is to run under vitest. */
export interface VitestOptions extends ConformanceOptions {
  /** Default: what `FORGEJO_RUNNER_CONFORMANCE_LANE` says, else `quick`. */
  readonly lane?: Lane;
  /** Title of the suite. Default: the id of the backend. */
  readonly title?: string;
}

/**
 * Registers the conformance suite with vitest: a test for each numbered check, named after it. A check that cannot run
 * is skipped with its reason.
 *
 * ```ts
 * backendConformance({ factory, label: 'test:acme' });
 * ```
 */
export function backendConformance({ lane = laneOfEnvironment(), title, ...options }: VitestOptions): void {
  describe(`conformance of ${title ?? options.factory.id}`, { concurrent: false }, () => {
    let session: Session;
    beforeAll(() => {
      session = openSession(options, lane);
    });
    afterAll(() => session[Symbol.asyncDispose]());
    for (const check of checks.filter((one) => isInLane(one, lane))) {
      // More than the check and its clean-up may take: what is late says so itself.
      const timeout = (check.limitMs ?? 60_000) + 180_000;
      it(`${check.id} ${check.title}`, { timeout }, async ({ skip }) => {
        const { status, reason = '' } = await session.run(check);
        if (status === 'skipped') skip(reason);
        expect(status, `${check.id}: ${reason}`).toBe('passed');
      });
    }
  });
}

function laneOfEnvironment(): Lane {
  const asked = process.env['FORGEJO_RUNNER_CONFORMANCE_LANE'] ?? 'quick';
  if (asked === 'quick' || asked === 'full' || asked === 'nightly') return asked;
  throw new Error(`expected quick, full or nightly in FORGEJO_RUNNER_CONFORMANCE_LANE, found ${asked}`);
}
