import type { Capabilities } from '@forgejo-runner/core';
import type { CheckId, Lane } from './options.ts';
import type { Stage } from './stage.ts';

/** A capability that a check is about. */
export interface Gate {
  /** How the capability is called, such as `exec.stdin`. */
  readonly name: string;
  readonly isClaimed: (capabilities: Capabilities) => boolean;
  /** Proves that what is not claimed is refused, and not done in some other way. Absent where nobody can ask for it. */
  readonly proveRefusal?: (stage: Stage) => Promise<void>;
}

/** One numbered check of the contract. Knows no test framework. */
export interface Check {
  readonly id: CheckId;
  /** What a backend does that passes. */
  readonly title: string;
  /** The first lane that has it. Default: `quick`. */
  readonly lane?: Lane;
  readonly gate?: Gate;
  /** Default: 60 000. */
  readonly limitMs?: number;
  /** What it needs of the options or the target, in words for people. Absent: nothing. */
  readonly needs?: string;
  readonly run: (stage: Stage) => Promise<void>;
}

const order: readonly Lane[] = ['quick', 'full', 'nightly'];

/** Does a lane run a check that begins in another? */
export function isInLane(check: Check, lane: Lane): boolean {
  return order.indexOf(lane) >= order.indexOf(check.lane ?? 'quick');
}
