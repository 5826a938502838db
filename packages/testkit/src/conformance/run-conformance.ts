import { apiVersion } from '@forgejo-runner/core';
import { checks } from './checks.ts';
import type { CheckId, ConformanceOptions, Lane } from './options.ts';
import { openSession, type Session } from './session.ts';
import { type CheckResult, suiteVersion, type Verdict } from './verdict.ts';

/** How the suite is to run. */
export interface RunOptions {
  /** Default: `quick`. */
  readonly lane?: Lane;
  /** Only these checks. Default: all of the lane. */
  readonly only?: readonly CheckId[];
  /** Called after each check. */
  readonly onResult?: (result: CheckResult) => void;
}

/**
 * Runs the conformance suite on a backend, in this process, and tells how each numbered check went. Needs no test
 * framework.
 *
 * ```ts
 * const verdict = await runConformance({ factory, label: 'test:acme' });
 * console.log(verdictText(verdict));
 * ```
 */
export async function runConformance(options: ConformanceOptions, run: RunOptions = {}): Promise<Verdict> {
  const { lane = 'quick', only } = run;
  const began = performance.now();
  const date = new Date();
  await using session = openSession(options, lane);
  const results: CheckResult[] = [];
  for (const check of checks) {
    if (only !== undefined && !only.includes(check.id)) continue;
    const result = await session.run(check);
    results.push(result);
    run.onResult?.(result);
  }
  return verdictOf(results, { options, lane, session, date, ms: performance.now() - began });
}

/** Sums results up. */
export async function verdictOf(
  results: readonly CheckResult[],
  run: {
    readonly options: ConformanceOptions;
    readonly lane: Lane;
    readonly session: Session;
    readonly date: Date;
    readonly ms: number;
  },
): Promise<Verdict> {
  const shared = await run.session.shared().catch(() => undefined);
  const count = (status: CheckResult['status']): number => results.filter((one) => one.status === status).length;
  return {
    suite: suiteVersion,
    api: apiVersion,
    backend: run.options.factory.id,
    ...(shared === undefined ? {} : { label: shared.label.canonical, capabilities: shared.label.capabilities }),
    lane: run.lane,
    date: run.date.toISOString(),
    ms: Math.round(run.ms),
    platform: `${process.platform}-${process.arch}`,
    isPassed: count('failed') === 0,
    passed: count('passed'),
    failed: count('failed'),
    skipped: count('skipped'),
    checks: results,
  };
}
