import type { ContainerField, ContainerSpec, ContainerSupport, Healthcheck, JobPlan } from '@forgejo-runner/core';
import { UserError } from '../user-error.ts';
import type { Place } from '../workflow/yaml-node.ts';
import type { StepContainerUse } from './plan-steps.ts';
import type { ServedLabel } from './planned-job.ts';

/** A need of a job that a label does not meet, as a clause such as `services.db uses volumes`. */
export type Unmet = string;

/** What a job asks for: its containers, and the steps that make their own. */
export interface JobNeeds {
  readonly plan: JobPlan;
  readonly containerUses: readonly StepContainerUse[];
  /** What the administrator gives every container, those of steps as well. */
  readonly stepFields: readonly ContainerField[];
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

/**
 * Lists everything that a job needs and a label cannot do. An empty list lets the job start. There is no way around
 * it: running a container outside of what `runs-on` promises would break the confinement that the label stands for.
 */
export function unmet({ plan, containerUses, stepFields }: JobNeeds, containers: ContainerSupport): readonly Unmet[] {
  const specs = containerSpecs(plan);
  if (containers.via !== 'native') {
    // The driver for delegated containers registers with the Docker backend's package.
    const missing = containers.via === 'none' ? '' : ', and for that the package @forgejo-runner/backend-docker';
    return [...specs.map(({ where }) => where), ...containerUses.map(stepText)].map(
      (where) => `${where} needs a container${missing}`,
    );
  }
  const { job, services, steps, build, fields } = containers;
  const lacking = (where: string, used: readonly ContainerField[]): readonly Unmet[] => {
    const unknown = used.filter((field) => !fields.includes(field));
    return unknown.length === 0 ? [] : [`${where} uses ${unknown.join(', ')}`];
  };
  const ofSpecs = specs.flatMap(({ where, spec }) => {
    if (!(spec === plan.jobContainer ? job : services)) return [`${where} needs a container`];
    return lacking(where, usedFields(spec));
  });
  const ofSteps = containerUses.flatMap((use) => {
    if (!steps) return [`${stepText(use)} needs a container`];
    if (use.needs === 'build' && !build) return [`${stepText(use)} needs an image that is built`];
    return lacking(stepText(use), stepFields);
  });
  return [...ofSpecs, ...ofSteps];
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

function stepText({ step, uses }: StepContainerUse): string {
  return `step ${step} (${uses.map((one) => one.slice(0, 200)).join(' using ')})`;
}

function containerSpecs(plan: JobPlan): { readonly where: string; readonly spec: ContainerSpec }[] {
  const job = plan.jobContainer === undefined ? [] : [{ where: 'the job', spec: plan.jobContainer }];
  return [...job, ...plan.services.map((spec) => ({ where: `services.${spec.id}`, spec }))];
}

/** The fields that a specification really uses, in the words of the contract. */
export function usedFields(spec: ContainerSpec & { readonly healthcheck?: Healthcheck }): readonly ContainerField[] {
  const fields: ContainerField[] = [];
  if (Object.keys(spec.env).length > 0) fields.push('env');
  if (spec.ports.length > 0) fields.push('ports');
  if (spec.mounts.length > 0) fields.push('volumes');
  if (spec.credentials !== undefined) fields.push('credentials');
  if (spec.entrypoint !== undefined) fields.push('entrypoint');
  if (spec.cmd !== undefined) fields.push('cmd');
  if (spec.healthcheck !== undefined && isOwnCheck(spec.healthcheck)) fields.push('healthcheck');
  for (const [field, value] of Object.entries(spec.options)) if (value !== undefined) fields.push(field);
  return fields;
}

/** Leaving the check to the image, or leaving it out, is no work for a backend. */
function isOwnCheck({ test, intervalMs, timeoutMs, retries, startPeriodMs }: Healthcheck): boolean {
  if (test === 'none') return false;
  return test !== 'image' || intervalMs + timeoutMs + retries + startPeriodMs > 0;
}
