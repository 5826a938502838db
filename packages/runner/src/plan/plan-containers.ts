import type {
  ContainerSpec,
  Healthcheck,
  JobContainerSpec,
  JobPlan,
  Port,
  ServiceContainerSpec,
} from '@forgejo-runner/core';
import { evaluateTree } from '../expressions/interpolate.ts';
import type { Scope } from '../expressions/scope.ts';
import { toText } from '../expressions/values.ts';
import type { Value, ValueMap } from '../expressions/values.ts';
import { type Problem, UserError } from '../user-error.ts';
import type { Job } from '../workflow/model.ts';
import type { Place, YamlNode } from '../workflow/yaml-node.ts';

/** A service without a check of its own counts as ready when its image says so, or at once. */
const imageHealthcheck: Healthcheck = {
  test: 'image',
  intervalMs: 30_000,
  timeoutMs: 30_000,
  retries: 3,
  startPeriodMs: 0,
};

/**
 * Evaluates `container` and `services` to the containers of the job.
 *
 * @throws UserError `FRR503` with every value of wrong shape.
 */
export async function planContainers(
  job: Job,
  scope: Scope,
  stepContainers: JobPlan['stepContainers'],
): Promise<JobPlan> {
  const problems: Problem[] = [];
  const container = await planJobContainer(job.container, scope, problems);
  const services = await planServices(job.services, scope, problems);
  if (problems.length > 0)
    throw new UserError('FRR503', { problems, next: 'see container and services in the workflow syntax' });
  return {
    ...(container === undefined ? {} : { jobContainer: container }),
    services,
    stepContainers,
  };
}

async function planJobContainer(
  node: YamlNode | undefined,
  scope: Scope,
  problems: Problem[],
): Promise<JobContainerSpec | undefined> {
  if (node === undefined) return undefined;
  const value = await evaluateTree(node, scope);
  // `container: ${{ matrix.image }}` may come out empty: no container then, as on GitHub.
  if (value === null || value === '') return undefined;
  const spec = containerSpec({ value, at: node.at, what: 'container' }, problems);
  return spec === undefined ? undefined : { ...spec, kind: 'job' };
}

async function planServices(
  node: YamlNode | undefined,
  scope: Scope,
  problems: Problem[],
): Promise<ServiceContainerSpec[]> {
  if (node === undefined) return [];
  const value = await evaluateTree(node, scope);
  if (value === null) return [];
  if (!(value instanceof Map)) {
    problems.push({ at: node.at, message: 'expected services to be a mapping of names to containers' });
    return [];
  }
  const services: ServiceContainerSpec[] = [];
  for (const [id, service] of value as ValueMap) {
    if (service === null || service === '') continue;
    const spec = containerSpec({ value: service, at: node.at, what: `services.${id}` }, problems);
    if (spec !== undefined)
      services.push({ ...spec, kind: 'service', id, aliases: [id], healthcheck: imageHealthcheck });
  }
  return services;
}

interface Written {
  readonly value: Value;
  readonly at: Place;
  readonly what: string;
}

function containerSpec(written: Written, problems: Problem[]): ContainerSpec | undefined {
  const { value, at, what } = written;
  const fields: ValueMap =
    typeof value === 'string' ? new Map([['image', value]]) : value instanceof Map ? value : new Map();
  const image = fields.get('image') ?? null;
  if (typeof image !== 'string' || image === '') {
    problems.push({
      at,
      message: `expected an image in ${what}, found ${image === null ? 'none' : toText(image) || 'an empty one'}`,
    });
    return undefined;
  }
  const credentials = readCredentials(fields.get('credentials') ?? null, written, problems);
  const options = toText(fields.get('options') ?? null).trim();
  return {
    image: image.replace(/^docker:\/\//, ''),
    pull: 'missing',
    ...(credentials === undefined ? {} : { credentials }),
    env: textMap(fields.get('env') ?? null, { ...written, what: `${what}.env` }, problems),
    mounts: textList(fields.get('volumes') ?? null).map((volume) => readMount(volume, written, problems)),
    ports: textList(fields.get('ports') ?? null).map((port) => readPort(port, written, problems)),
    ...(fields.has('entrypoint') ? { entrypoint: [toText(fields.get('entrypoint') ?? null)] } : {}),
    ...(fields.has('cmd') ? { cmd: textList(fields.get('cmd') ?? null) } : {}),
    // Kept as one field until it is taken apart: a backend that does not list it refuses the job.
    options: options === '' ? {} : { options },
  };
}

function readCredentials(value: Value, written: Written, problems: Problem[]): ContainerSpec['credentials'] {
  if (value === null) return undefined;
  const username = value instanceof Map ? toText(value.get('username') ?? null) : '';
  const password = value instanceof Map ? toText(value.get('password') ?? null) : '';
  if (username !== '' && password !== '') return { username, password };
  problems.push({
    at: written.at,
    message: `expected username and password in ${written.what}.credentials, both not empty`,
  });
  return undefined;
}

function readMount(text: string, written: Written, problems: Problem[]): ContainerSpec['mounts'][number] {
  // A drive letter is part of the source on Windows.
  const parts = /^(?:([A-Za-z]:[^:]*|[^:]*):)?([^:]+)(?::(ro|rw))?$/.exec(text);
  if (parts === null)
    problems.push({
      at: written.at,
      message: `expected source:target[:ro] in ${written.what}.volumes, found ${JSON.stringify(text)}`,
    });
  return { source: parts?.[1] ?? '', target: parts?.[2] ?? '', readOnly: parts?.[3] === 'ro' };
}

function readPort(text: string, written: Written, problems: Problem[]): Port {
  const parts = /^(?:(\d{1,5}):)?(\d{1,5})(?:\/(tcp|udp))?$/.exec(text);
  const container = Number(parts?.[2]);
  const host = parts?.[1] === undefined ? undefined : Number(parts[1]);
  if (parts === null || container < 1 || container > 65_535 || (host ?? 0) > 65_535) {
    problems.push({
      at: written.at,
      message: `expected [host:]container[/tcp|/udp] in ${written.what}.ports, found ${JSON.stringify(text)}`,
    });
  }
  return { container, ...(host === undefined ? {} : { host }), protocol: parts?.[3] === 'udp' ? 'udp' : 'tcp' };
}

function textList(value: Value): readonly string[] {
  if (value === null) return [];
  return Array.isArray(value) ? (value as readonly Value[]).map((entry) => toText(entry)) : [toText(value)];
}

function textMap(value: Value, written: Written, problems: Problem[]): Record<string, string> {
  if (value === null) return {};
  if (value instanceof Map)
    return Object.fromEntries([...(value as ValueMap)].map(([name, one]) => [name, toText(one)]));
  problems.push({ at: written.at, message: `expected ${written.what} to be a mapping` });
  return {};
}
