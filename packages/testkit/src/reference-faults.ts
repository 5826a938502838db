import { BackendError, type BackendErrorCode } from '@forgejo-runner/core';

/** What a failing call throws: a `BackendError` of this code, or `foreign`, an error that no contract knows. */
export type FaultCode = BackendErrorCode | 'foreign';

/** A method whose capability is claimed and that is left out all the same. */
export type MissingMethod =
  | 'target'
  | 'sharedPath'
  | 'signal'
  | 'createJobContainer'
  | 'createServiceContainer'
  | 'createStepContainer'
  | 'buildImage'
  | 'dockerEndpoint'
  | 'recover';

/** Faults of a reference backend. They are read at each call, so a test may switch them on and off. */
export interface ReferenceFaults {
  describeLabel?: FaultCode;
  /** `times` calls fail, then they work; without it they all fail. */
  create?: {
    readonly code: FaultCode;
    readonly times?: number;
    readonly retryAfterMs?: number;
    readonly retryable?: boolean;
  };
  /** Creating waits until its signal aborts. */
  createHangs?: boolean;
  /** Which processes run to their end with nobody learning how it went. */
  execLost?: (argv: readonly string[]) => boolean;
  /** Every process starts this much later. */
  execDelayMs?: number;
  copyIn?: FaultCode;
  copyOut?: FaultCode;
  serviceNeverReady?: FaultCode;
  /** `remove` reports the environment as leaked and leaves it, until it is switched off or swept. */
  removeLeaks?: boolean;
  removeRejects?: boolean;
  health?: 'degraded' | 'down';
  sweepRejects?: FaultCode;
  missing?: readonly MissingMethod[];
}

/** The error of a fault. */
export function faultError(
  code: FaultCode,
  what: string,
  details: { readonly retryAfterMs?: number; readonly retryable?: boolean } = {},
): Error {
  if (code === 'foreign') return new TypeError(`${what}: an error that no contract knows`);
  return new BackendError(code, `${what}: a fault "${code}" that the test asked for`, details);
}
