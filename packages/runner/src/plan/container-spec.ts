import type { ContainerSpec, Healthcheck, Mount, Port } from '@forgejo-runner/core';
import { toText } from '../expressions/values.ts';
import type { Value, ValueMap } from '../expressions/values.ts';
import { type Problem, quoted } from '../user-error.ts';
import type { Notice } from '../workflow/model.ts';
import type { Place, YamlNode } from '../workflow/yaml-node.ts';
import { type ContainerPolicy, forbiddenBy, withDefaults } from './admin-policy.ts';
import { readContainerOptions, type ReadOptions } from './container-options.ts';
import type { ContainerOptions } from './option-fields.ts';
import { readPorts, readVolume } from './option-values.ts';
import { normalSource } from './valid-volumes.ts';

/** What was found while containers were planned. */
export interface ContainerFindings {
  readonly policy: ContainerPolicy;
  /** Mistakes of the author. */
  readonly problems: Problem[];
  /** What the administrator does not allow. */
  readonly forbidden: Problem[];
  readonly notices: Notice[];
}

/** A container as a workflow has it, evaluated. */
export interface WrittenContainer {
  readonly value: Value;
  readonly node: YamlNode;
  /** Where messages say that it stands, such as `services.db`. */
  readonly what: string;
}

/** A container of either kind, and what only one kind has. */
export interface PlannedContainer {
  readonly spec: Omit<ContainerSpec, 'entrypoint' | 'cmd'>;
  readonly options: ContainerOptions;
  readonly fields: ValueMap;
}

/** Reads a container, and finds everything that is wrong with it. Undefined where it has no image. */
export function planContainer(written: WrittenContainer, findings: ContainerFindings): PlannedContainer | undefined {
  const { value, what, node } = written;
  const { policy, problems } = findings;
  const fields: ValueMap =
    typeof value === 'string' ? new Map([['image', value]]) : value instanceof Map ? value : new Map();
  const image = fields.get('image') ?? null;
  if (typeof image !== 'string' || image === '') {
    const found = image === null ? 'none' : toText(image) || 'an empty one';
    problems.push({ at: node.at, message: `expected an image in ${what}, found ${found}` });
    return undefined;
  }
  const asked = readOptions(fields.get('options') ?? null, written, findings);
  const mounts = [...readVolumes(fields.get('volumes') ?? null, written, problems), ...asked.options.mounts];
  const normal = mounts.flatMap((mount) => normalMount(mount, written, problems));
  for (const message of forbiddenBy(policy, asked, normal))
    findings.forbidden.push({ at: placeIn(node, 'options', 'volumes'), message: `${what}: ${message}` });
  const options = withDefaults(policy, { ...asked.options, mounts: normal });
  const credentials = readCredentials(fields.get('credentials') ?? null, written, problems);
  const ports = textList(fields.get('ports') ?? null).flatMap((port) => readPort(port, written, problems));
  return {
    options,
    fields,
    spec: {
      image: image.replace(/^docker:\/\//, ''),
      pull: policy.forcePull ? 'always' : (options.pull ?? 'missing'),
      ...(credentials === undefined ? {} : { credentials }),
      env: { ...options.env, ...readEnv(fields.get('env') ?? null, written, problems) },
      mounts: options.mounts,
      ports: [...ports, ...options.ports],
      options: { ...options.fields },
    },
  };
}

/** A health check from what of it is set. Source: Docker's documentation of `docker run`, defaults of `--health-…`. */
export function healthcheckOf(health: ContainerOptions['health']): Healthcheck {
  const isOwn = Array.isArray(health.test);
  return {
    test: 'image',
    // 0 is as the image has it.
    intervalMs: isOwn ? 30_000 : 0,
    timeoutMs: isOwn ? 30_000 : 0,
    retries: isOwn ? 3 : 0,
    startPeriodMs: 0,
    ...health,
  };
}

/** Texts of a list, or of a value alone. */
export function textList(value: Value): readonly string[] {
  if (value === null) return [];
  return Array.isArray(value) ? (value as readonly Value[]).map((entry) => toText(entry)) : [toText(value)];
}

/** Where the first of some keys of a container stands, or the container itself. */
export function placeIn(node: YamlNode, ...keys: readonly string[]): Place {
  const entries = node.kind === 'mapping' ? node.entries : [];
  return entries.find(({ key }) => keys.includes(key))?.value.at ?? node.at;
}

function readOptions(value: Value, { what, node }: WrittenContainer, findings: ContainerFindings): ReadOptions {
  const at = placeIn(node, 'options');
  const say = (message: string): Problem & Notice => ({ at, message: `${what}.options: ${message}` });
  const isText = value === null || typeof value === 'string';
  if (!isText) findings.problems.push(say('expected one text with all options'));
  const read = readContainerOptions(isText ? (value ?? '') : '');
  findings.problems.push(...read.problems.map(say));
  findings.notices.push(...read.notices.map(say));
  return read;
}

function readCredentials(
  value: Value,
  { node, what }: WrittenContainer,
  problems: Problem[],
): ContainerSpec['credentials'] {
  if (value === null) return undefined;
  const username = value instanceof Map ? toText(value.get('username') ?? null) : '';
  const password = value instanceof Map ? toText(value.get('password') ?? null) : '';
  if (username !== '' && password !== '') return { username, password };
  const message = `expected username and password in ${what}.credentials, both not empty`;
  problems.push({ at: placeIn(node, 'credentials'), message });
  return undefined;
}

function readVolumes(value: Value, { node, what }: WrittenContainer, problems: Problem[]): readonly Mount[] {
  return textList(value).flatMap((text) => {
    const read = readVolume(text);
    if ('value' in read) return [read.value];
    problems.push({ at: placeIn(node, 'volumes'), message: read.problem.replace(',', ` in ${what}.volumes,`) });
    return [];
  });
}

function normalMount(mount: Mount, { node, what }: WrittenContainer, problems: Problem[]): readonly Mount[] {
  const source = normalSource(mount.source);
  if (source !== undefined) return [{ ...mount, source }];
  const message = `expected an absolute path or the name of a volume to mount in ${what}, found ${quoted(mount.source)}`;
  problems.push({ at: placeIn(node, 'volumes', 'options'), message });
  return [];
}

function readPort(text: string, { node, what }: WrittenContainer, problems: Problem[]): readonly Port[] {
  const read = readPorts(text);
  if ('value' in read) return read.value;
  problems.push({ at: placeIn(node, 'ports'), message: read.problem.replace(',', ` in ${what}.ports,`) });
  return [];
}

function readEnv(value: Value, { node, what }: WrittenContainer, problems: Problem[]): Record<string, string> {
  const at = placeIn(node, 'env');
  if (value !== null && !(value instanceof Map)) {
    problems.push({ at, message: `expected ${what}.env to be a mapping` });
    return {};
  }
  const entries = [...((value as ValueMap | null) ?? [])].map(([name, one]) => [name, toText(one)] as const);
  for (const [name, text] of entries) {
    if (name !== '' && !name.includes('=') && !name.includes('\0') && !text.includes('\0')) continue;
    problems.push({
      at,
      message: `expected names without "=" and values without zero bytes in ${what}.env, found ${quoted(name)}`,
    });
  }
  return Object.fromEntries(entries);
}
