import type { ExecutionEnvironment, Target } from '@forgejo-runner/core';
import type { ServedLabel } from '../plan/planned-job.ts';
import { contractViolation } from './backend-errors.ts';

/**
 * A method exists if and only if its capability says so: a backend that breaks this would fail in the middle of a job.
 *
 * @throws BackendError `internal` that names the backend and the rule.
 */
export function checkEnvironment(environment: ExecutionEnvironment, label: ServedLabel): void {
  const { containers } = label.resolved.capabilities;
  const native = containers.via === 'native' ? containers : { job: false, services: false, steps: false, build: false };
  const isDelegated = containers.via === 'docker-endpoint';
  checkMethod('createJobContainer', native.job, environment.createJobContainer, label);
  checkMethod('createServiceContainer', native.services, environment.createServiceContainer, label);
  checkMethod('createStepContainer', native.steps, environment.createStepContainer, label);
  checkMethod('buildImage', native.build, environment.buildImage, label);
  checkMethod('dockerEndpoint', isDelegated, environment.dockerEndpoint, label);
}

/** Where the steps of a job will run: there must be such a place, and its methods must be those that were claimed. */
export function checkTarget(target: Target | undefined, label: ServedLabel): Target {
  const { backend } = label.configuration;
  if (target === undefined)
    throw contractViolation(backend, 'C05', 'an environment without a job container has no target');
  checkMethod('sharedPath', label.resolved.capabilities.files.shared, target.sharedPath, label);
  return target;
}

function checkMethod(name: string, isClaimed: boolean, method: unknown, { configuration }: ServedLabel): void {
  const exists = method !== undefined;
  if (isClaimed === exists) return;
  const what = exists
    ? `${name} exists although the capabilities lack it`
    : `${name} is missing although the capabilities claim it`;
  throw contractViolation(configuration.backend, 'C05', what);
}
