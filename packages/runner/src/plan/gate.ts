import {
  type ContainerField,
  type ContainerNeeds,
  type ContainerSupport,
  unmet as unmetNeeds,
} from '@forgejo-runner/core';
import { UserError } from '../user-error.ts';
import type { Place } from '../workflow/yaml-node.ts';
import type { StepContainerUse } from './plan-steps.ts';
import type { ServedLabel } from './planned-job.ts';

/** What a job asks for: its containers, and the steps that make their own. */
export interface JobNeeds extends Omit<ContainerNeeds, 'steps'> {
  readonly containerUses: readonly StepContainerUse[];
}

/**
 * What containers there are on a label: its backend's own, or, at an endpoint that its environments hand out, those of
 * the runner's Docker driver. Without a driver the endpoint is as it was.
 */
export function effectiveContainers(
  containers: ContainerSupport,
  driverFields: readonly ContainerField[] | undefined,
): ContainerSupport {
  if (containers.via !== 'docker-endpoint' || driverFields === undefined) return containers;
  return { via: 'native', job: true, services: true, steps: true, build: true, fields: driverFields };
}

/** Lists everything that a job needs and a label cannot do. An empty list lets the job start. */
export function unmet({ containerUses, ...needs }: JobNeeds, containers: ContainerSupport): readonly string[] {
  const missing = unmetNeeds({ ...needs, steps: containerUses.map(stepNeed) }, containers);
  if (containers.via !== 'docker-endpoint') return missing;
  // The driver for delegated containers registers with the Docker backend's package.
  return missing.map((need) => `${need}, and for that the package @forgejo-runner/backend-docker`);
}

/**
 * Refuses a job that its label cannot run.
 *
 * @throws UserError `FRR502` with every unmet need in one sentence.
 */
export function gate(
  needs: JobNeeds,
  { label, containers }: { readonly label: ServedLabel; readonly containers: ContainerSupport },
  at: Place,
): void {
  const missing = unmet(needs, containers);
  if (missing.length === 0) return;
  const { name, backend } = label.configuration;
  throw new UserError('FRR502', {
    problems: [
      {
        at,
        message: `label "${name}" (backend ${backend}) cannot run this job: ${missing.join('; ')}. Nothing was started`,
      },
    ],
    next: 'choose a label in runs-on whose backend has containers, or run the job without them',
  });
}

function stepNeed({ step, uses, needs }: StepContainerUse): ContainerNeeds['steps'][number] {
  return { where: `step ${step} (${uses.map((one) => one.slice(0, 200)).join(' using ')})`, needs };
}
