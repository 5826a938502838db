import type { Capabilities, ContainerField, ContainerSpec, JobPlan } from '@forgejo-runner/core';
import { UserError } from '../user-error.ts';
import type { Place } from '../workflow/yaml-node.ts';
import type { ServedLabel } from './planned-job.ts';

/** A need of a job, in words, such as `services.db` or `services.db uses volumes`. */
export type Unmet = string;

/**
 * Lists everything that a job needs and a label cannot do. An empty list lets the job start. There is no way around
 * it: running a container outside of what `runs-on` promises would break the confinement that the label stands for.
 */
export function unmet(plan: JobPlan, capabilities: Capabilities): readonly Unmet[] {
  const containers = capabilities.containers;
  const specs = containerSpecs(plan);
  const steps = plan.stepContainers === 'run' || plan.stepContainers === 'build';
  if (containers.via === 'none') return [...specs.map(({ where }) => where), ...(steps ? ['Docker actions'] : [])];
  // The driver for delegated containers registers with the Docker backend's package.
  if (containers.via === 'docker-endpoint') {
    const needs = [...specs.map(({ where }) => where), ...(steps ? ['Docker actions'] : [])];
    return needs.map((need) => `${need} (needs the package @forgejo-runner/backend-docker)`);
  }
  const missing: Unmet[] = [];
  if (plan.jobContainer !== undefined && !containers.job) missing.push('container');
  for (const service of plan.services) if (!containers.services) missing.push(`services.${service.id}`);
  if (steps && !containers.steps) missing.push('Docker actions');
  if (plan.stepContainers === 'build' && containers.steps && !containers.build)
    missing.push('Docker actions that build an image');
  for (const { where, spec } of specs) {
    const fields = usedFields(spec).filter((field) => !containers.fields.includes(field));
    if (fields.length > 0 && !missing.includes(where)) missing.push(`${where} uses ${fields.join(', ')}`);
  }
  return missing;
}

/**
 * Refuses a job that its label cannot run.
 *
 * @throws UserError `FRR502` with every unmet need in one sentence.
 */
export function gate(plan: JobPlan, label: ServedLabel, at: Place): void {
  const needs = unmet(plan, label.resolved.capabilities);
  if (needs.length === 0) return;
  const { name, backend } = label.configuration;
  throw new UserError('FRR502', {
    problems: [
      {
        at,
        message: `label "${name}" (backend ${backend}) cannot run this job: it lacks ${needs.join('; ')}. Nothing was started`,
      },
    ],
    next: 'choose a label in runs-on whose backend has containers, or run the job without them',
  });
}

function containerSpecs(plan: JobPlan): { readonly where: string; readonly spec: ContainerSpec }[] {
  const job = plan.jobContainer === undefined ? [] : [{ where: 'container', spec: plan.jobContainer }];
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
