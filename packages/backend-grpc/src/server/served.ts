import { type Backend, BackendError, type Logger, type Owner } from '@forgejo-runner/core';
import type { Owner as WireOwner } from '../gen/forgejo/runner/backend/v1/backend_pb.ts';
import type { ServedEnvironments } from './served-environments.ts';
import type { ServedLabels } from './served-labels.ts';

/** What both protocols serve. */
export interface Served {
  readonly backend: Backend;
  readonly name: string;
  readonly version: string;
  readonly environments: ServedEnvironments;
  readonly labels: ServedLabels;
  /** Whose the environments are of runners that do not say who they are. */
  readonly owner: Owner;
  readonly log: Logger;
  /** Between two signs of life of a silent exec, and how long one is kept whose connection was lost. */
  readonly heartbeatMs: number;
  readonly keepMs: number;
}

/** @throws BackendError `plan` where a runner did not say who it is. */
export function ownerOf(wire: WireOwner | undefined): Owner {
  if (wire === undefined || wire.runner === '') throw new BackendError('plan', 'expected an owner, found none');
  return { runner: wire.runner, boot: wire.boot };
}
