import { posix } from 'node:path';
import type { ContainerSpec, Mount } from '@forgejo-runner/core';
import { quoted } from '../user-error.ts';
import type { ReadOptions } from './container-options.ts';
import { type ContainerOptions, noOptions, type OptionFields } from './option-fields.ts';
import { isValidVolume } from './valid-volumes.ts';

/** What the administrator says about the containers of jobs. It holds for every backend alike. */
export interface ContainerPolicy {
  /** `container.options`: what every container of every job gets. */
  readonly defaults: ContainerOptions;
  /** Those of `defaults` that reach beyond the container, as `--name value`: jobs may ask for them as well. */
  readonly granted: readonly string[];
  /** `container.privileged`: all containers run in privileged mode. */
  readonly privileged: boolean;
  /** `container.valid_volumes`: glob patterns for the sources of mounts. */
  readonly validVolumes: readonly string[];
  /** `container.force_pull`. */
  readonly forcePull: boolean;
}

/** Rights that a container in privileged mode has anyway. */
const privileges = ['--privileged', '--cap-add', '--device', '--security-opt'];

/** Everything that a container asks for and the administrator does not allow. */
export function forbiddenBy(
  policy: ContainerPolicy,
  asked: Pick<ReadOptions, 'options' | 'restricted'>,
  mounts: readonly Mount[],
): readonly string[] {
  const { fields } = asked.options;
  return [
    ...asked.restricted.filter((one) => !isGranted(one, policy)).map(rightText),
    ...mounts.flatMap(({ source }) => volumeProblem(source, policy)),
    ...limitProblems(fields, policy.defaults.fields),
    ...coveredTargets([...mounts.map(({ target }) => target), ...Object.keys(fields.tmpfs ?? {})], policy.defaults),
  ];
}

/** What a container gets: first what the administrator wants, then what it asks for within those limits. */
export function withDefaults(policy: ContainerPolicy, asked: ContainerOptions): ContainerOptions {
  const { env, mounts, health, fields } = policy.defaults;
  return {
    ...asked,
    env: { ...env, ...asked.env },
    mounts: [...mounts, ...asked.mounts],
    health: { ...health, ...asked.health },
    fields: { ...mergedFields(fields, asked.fields), ...(policy.privileged ? { privileged: true } : {}) },
  };
}

/** What the container of a step gets, which asks for nothing itself. */
export function stepContainerOf(policy: ContainerPolicy): Pick<ContainerSpec, 'env' | 'mounts' | 'options'> {
  const { env, mounts, fields } = withDefaults(policy, noOptions);
  return { env, mounts, options: { ...fields } };
}

function isGranted(restricted: string, { granted, privileged }: ContainerPolicy): boolean {
  const [name = ''] = restricted.split(' ');
  return granted.includes(restricted) || (privileged && privileges.includes(name));
}

function rightText(restricted: string): string {
  const key = restricted === '--privileged' ? 'container.privileged' : 'container.options';
  return `jobs of this runner may not ask for ${quoted(restricted)}, which reaches beyond the container; its administrator can allow it in ${key}`;
}

function volumeProblem(source: string, { validVolumes }: ContainerPolicy): readonly string[] {
  // A volume without a name is made for the container and goes with it.
  if (source === '' || isValidVolume(source, validVolumes)) return [];
  return [
    `jobs of this runner may not mount ${quoted(source)}; its administrator can add ${quoted(source)} to container.valid_volumes`,
  ];
}

const limits = [
  ['memory', '--memory'],
  ['shmSize', '--shm-size'],
  ['cpus', '--cpus'],
  ['pidsLimit', '--pids-limit'],
] as const;

function limitProblems(asked: OptionFields, most: OptionFields): readonly string[] {
  const ofNumbers = limits.flatMap(([field, name]) => {
    const [wanted, limit] = [asked[field], most[field]];
    return wanted === undefined || isWithin(wanted, limit) ? [] : [limitText(name, limit ?? 0, wanted)];
  });
  const ofUlimits = (asked.ulimits ?? []).flatMap(({ name, hard }) => {
    const limit = most.ulimits?.find((one) => one.name === name)?.hard;
    return isWithin(hard, limit) ? [] : [limitText(`--ulimit ${name}`, limit ?? 0, hard)];
  });
  return [...ofNumbers, ...ofUlimits];
}

/** 0 and -1 are no limit at all. */
function isWithin(wanted: number, limit: number | undefined): boolean {
  if (limit === undefined || limit <= 0) return true;
  return wanted > 0 && wanted <= limit;
}

function limitText(name: string, limit: number, wanted: number): string {
  const found = wanted > 0 ? String(wanted) : 'no limit';
  return `${name}: expected at most ${limit}, which the administrator of this runner set in container.options, found ${found}`;
}

/** A job must not put something of its own over what the administrator wants to be there. */
function coveredTargets(asked: readonly string[], { mounts, fields }: ContainerOptions): readonly string[] {
  const taken = [...mounts.map(({ target }) => target), ...Object.keys(fields.tmpfs ?? {})].map(plainTarget);
  return asked
    .filter((target) => taken.some((own) => own === plainTarget(target) || own.startsWith(`${plainTarget(target)}/`)))
    .map((target) => `${quoted(target)} covers what the administrator of this runner mounts there`);
}

function plainTarget(target: string): string {
  return posix.normalize(target.replaceAll('\\', '/')).replace(/\/+$/, '').toLowerCase();
}

/** Lists of both sides are put together; of what there can be one, a job has the last word. */
function mergedFields(first: OptionFields, then: OptionFields): OptionFields {
  const both = Object.entries(then).map(([key, value]: [string, unknown]) => {
    // Fields of the same name have values of the same shape on both sides.
    const present = (first as Readonly<Record<string, unknown>>)[key];
    if (Array.isArray(present) && Array.isArray(value)) return [key, mergedLists(present, value)];
    if (isRecord(present) && isRecord(value)) return [key, { ...present, ...value }];
    return [key, value];
  });
  return { ...first, ...Object.fromEntries(both) };
}

/** Of two limits of the same name, the later one counts. */
function mergedLists(first: readonly unknown[], then: readonly unknown[]): readonly unknown[] {
  const nameOf = (item: unknown): unknown => (isRecord(item) ? (item['name'] ?? item['target']) : item);
  const later = new Set(then.map(nameOf));
  return [...first.filter((item) => !later.has(nameOf(item))), ...then];
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
