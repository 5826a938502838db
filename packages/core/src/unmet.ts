import type { ContainerField, ContainerSupport } from './capabilities.ts';
import type { ContainerSpec, Healthcheck, JobPlan } from './plan.ts';

/** A step that makes a container of its own, and whether its image has to be built. */
export interface StepNeed {
  /** The step in words, such as `step 4 (acme/scan@v2)`. */
  readonly where: string;
  readonly needs: 'run' | 'build';
}

/** What a job asks of the containers of its label. */
export interface ContainerNeeds {
  readonly plan: JobPlan;
  readonly steps: readonly StepNeed[];
  /** What the administrator gives every container, those of steps as well. */
  readonly stepFields: readonly ContainerField[];
}

/**
 * Lists everything that a job needs and containers of this kind cannot do, as clauses such as `services.db uses
 * volumes`. The runner starts a job only where the list is empty, and there is no way around it: a container outside of
 * what `runs-on` promises would break the confinement that the label stands for.
 *
 * An endpoint counts as nothing here. With a {@link DockerDriver} for it, ask about what that driver makes there.
 */
export function unmet(
  { plan, steps: stepNeeds, stepFields }: ContainerNeeds,
  containers: ContainerSupport,
): readonly string[] {
  const specs = containerSpecs(plan);
  if (containers.via !== 'native') {
    return [...specs, ...stepNeeds].map(({ where }) => `${where} needs a container`);
  }
  const { job, services, steps, build, fields } = containers;
  const lacking = (where: string, used: readonly ContainerField[]): readonly string[] => {
    const unknown = used.filter((field) => !fields.includes(field));
    return unknown.length === 0 ? [] : [`${where} uses ${unknown.join(', ')}`];
  };
  const ofSpecs = specs.flatMap(({ where, spec }) => {
    if (!(spec === plan.jobContainer ? job : services)) return [`${where} needs a container`];
    return lacking(where, usedFields(spec));
  });
  const ofSteps = stepNeeds.flatMap(({ where, needs }) => {
    if (!steps) return [`${where} needs a container`];
    if (needs === 'build' && !build) return [`${where} needs an image that is built`];
    return lacking(where, stepFields);
  });
  return [...ofSpecs, ...ofSteps];
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
