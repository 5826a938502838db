import type { JobContainerSpec, JobPlan, ServiceContainerSpec } from '@forgejo-runner/core';
import { evaluateTree } from '../expressions/interpolate.ts';
import type { Scope } from '../expressions/scope.ts';
import { toText } from '../expressions/values.ts';
import type { ValueMap } from '../expressions/values.ts';
import { UserError } from '../user-error.ts';
import type { Job, Notice } from '../workflow/model.ts';
import type { Place, YamlNode } from '../workflow/yaml-node.ts';
import type { ContainerPolicy } from './admin-policy.ts';
import type { ContainerOptions } from './option-fields.ts';
import { splitWords } from './split-words.ts';
import { type ContainerFindings, healthcheckOf, placeIn, planContainer, textList } from './container-spec.ts';

/** The containers of a job, and what its author should know about them. */
export interface PlannedContainers {
  readonly plan: JobPlan;
  readonly notices: readonly Notice[];
}

/**
 * Evaluates `container` and `services` to the containers of the job, within the limits of the administrator.
 *
 * @throws UserError `FRR503` with every value of wrong shape, `FRR505` with everything that the administrator does not
 * allow.
 */
export async function planContainers(
  job: Job,
  scope: Scope,
  { policy, stepContainers }: { readonly policy: ContainerPolicy; readonly stepContainers: JobPlan['stepContainers'] },
): Promise<PlannedContainers> {
  const findings: ContainerFindings = { policy, problems: [], forbidden: [], notices: [] };
  const container = await planJobContainer(job.container, scope, findings);
  const services = await planServices(job.services, scope, findings);
  const { problems, forbidden, notices } = findings;
  if (problems.length > 0) {
    const next = 'see container and services in the workflow syntax, and docs/compatibility.md for options';
    throw new UserError('FRR503', { problems: [...problems, ...forbidden], next });
  }
  if (forbidden.length > 0) {
    throw new UserError('FRR505', {
      problems: forbidden,
      next: 'leave it out, or ask the administrator of the runner',
    });
  }
  return {
    plan: { ...(container === undefined ? {} : { jobContainer: container }), services, stepContainers },
    notices,
  };
}

async function planJobContainer(
  node: YamlNode | undefined,
  scope: Scope,
  findings: ContainerFindings,
): Promise<JobContainerSpec | undefined> {
  if (node === undefined) return undefined;
  const value = await evaluateTree(node, scope);
  // `container: ${{ matrix.image }}` may come out empty: no container then, as on GitHub.
  if (value === null || value === '') return undefined;
  const planned = planContainer({ value, node, what: 'container' }, findings);
  if (planned === undefined) return undefined;
  const { spec, options, fields } = planned;
  findings.notices.push(...idleNotices(node, options, fields));
  const hasCheck = Object.keys(options.health).length > 0;
  const check = hasCheck ? { healthcheck: healthcheckOf(options.health) } : {};
  return { ...spec, options: { ...spec.options, ...check }, kind: 'job' };
}

/** What starts with a container means nothing to one that waits for steps. */
function idleNotices(node: YamlNode, options: ContainerOptions, fields: ValueMap): readonly Notice[] {
  const why = 'changes nothing: the container of a job waits for its steps';
  const given = [
    ...(options.aliases.length > 0 ? ['options: --network-alias'] : []),
    ...(options.entrypoint === undefined ? [] : ['options: --entrypoint']),
    ...['entrypoint', 'cmd', 'command'].filter((key) => fields.has(key)),
  ];
  return given.map((name) => ({ at: placeIn(node, name.split(':')[0] ?? ''), message: `container.${name} ${why}` }));
}

async function planServices(
  node: YamlNode | undefined,
  scope: Scope,
  findings: ContainerFindings,
): Promise<ServiceContainerSpec[]> {
  if (node === undefined) return [];
  const value = await evaluateTree(node, scope);
  if (value === null) return [];
  if (!(value instanceof Map)) {
    findings.problems.push({ at: node.at, message: 'expected services to be a mapping of names to containers' });
    return [];
  }
  const services: ServiceContainerSpec[] = [];
  for (const [id, service] of value as ValueMap) {
    if (service === null || service === '') continue;
    const own = node.kind === 'mapping' ? node.entries.find(({ key }) => key === id)?.value : undefined;
    const planned = planContainer({ value: service, node: own ?? node, what: `services.${id}` }, findings);
    if (planned === undefined) continue;
    const { spec, options, fields } = planned;
    const entrypoint = fields.has('entrypoint') ? textList(fields.get('entrypoint') ?? null) : options.entrypoint;
    const cmd = readCommand(fields, { at: placeIn(own ?? node, 'command'), what: `services.${id}.command` }, findings);
    services.push({
      ...spec,
      kind: 'service',
      id,
      aliases: [id, ...options.aliases],
      healthcheck: healthcheckOf(options.health),
      ...(entrypoint === undefined ? {} : { entrypoint }),
      ...(cmd === undefined ? {} : { cmd }),
    });
  }
  return services;
}

/** Forgejo's `cmd` is a list of words, GitHub's `command` a line of them. */
function readCommand(
  fields: ValueMap,
  { at, what }: { readonly at: Place; readonly what: string },
  { problems }: ContainerFindings,
): readonly string[] | undefined {
  if (fields.has('cmd')) return textList(fields.get('cmd') ?? null);
  const command = fields.get('command') ?? null;
  if (command === null || Array.isArray(command)) return command === null ? undefined : textList(command);
  const words = splitWords(toText(command));
  if (words === undefined) problems.push({ at, message: `expected every quote to be closed in ${what}` });
  return words;
}
