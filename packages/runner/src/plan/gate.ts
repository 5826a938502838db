import type { Capabilities, ContainerField, ContainerSpec, JobPlan } from '@forgejo-runner/core';
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
}

/**
 * Lists everything that a job needs and a label cannot do. An empty list lets the job start. There is no way around
 * it: running a container outside of what `runs-on` promises would break the confinement that the label stands for.
 */
export function unmet({ plan, containerUses }: JobNeeds, { containers }: Capabilities): readonly Unmet[] {
  const specs = containerSpecs(plan);
  if (containers.via !== 'native') {
    // The driver for delegated containers registers with the Docker backend's package.
    const missing = containers.via === 'none' ? '' : ', and for that the package @forgejo-runner/backend-docker';
    return [...specs.map(({ where }) => where), ...containerUses.map(stepText)].map(
      (where) => `${where} needs a container${missing}`,
    );
  }
  const { job, services, steps, build, fields } = containers;
  const ofSpecs = specs.flatMap(({ where, spec }) => {
    if (!(spec === plan.jobContainer ? job : services)) return [`${where} needs a container`];
    const unknown = usedFields(spec).filter((field) => !fields.includes(field));
    return unknown.length === 0 ? [] : [`${where} uses ${unknown.join(', ')}`];
  });
  const ofSteps = containerUses.flatMap((use) => {
    if (!steps) return [`${stepText(use)} needs a container`];
    return use.needs === 'build' && !build ? [`${stepText(use)} needs an image that is built`] : [];
  });
  return [...ofSpecs, ...ofSteps];
}

/**
 * Refuses a job that its label cannot run.
 *
 * @throws UserError `FRR502` with every unmet need in one sentence.
 */
export function gate(needs: JobNeeds, label: ServedLabel, at: Place): void {
  const missing = unmet(needs, label.resolved.capabilities);
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
function usedFields(spec: ContainerSpec): readonly ContainerField[] {
  const fields: ContainerField[] = [];
  if (Object.keys(spec.env).length > 0) fields.push('env');
  if (spec.ports.length > 0) fields.push('ports');
  if (spec.mounts.length > 0) fields.push('volumes');
  if (spec.credentials !== undefined) fields.push('credentials');
  if (spec.entrypoint !== undefined) fields.push('entrypoint');
  if (spec.cmd !== undefined) fields.push('cmd');
  for (const [field, value] of Object.entries(spec.options)) if (value !== undefined) fields.push(field);
  return fields;
}
