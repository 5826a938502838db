import { readFile } from 'node:fs/promises';
import { esbuildVersion } from './esbuild-version.ts';
import { z } from 'zod';
import type { RemoteSpec } from './pin.ts';
import { UserError } from '../user-error.ts';
import { lockedPackages, type LockedPackages } from './npm-lock.ts';

/** What one request stands for. */
export interface LockedRequest {
  /** As it stands in the manifest: `@acme/backend-k8s@^2`. */
  readonly request: string;
  readonly name: string;
  /** In npm's words: a version, a commit. */
  readonly spec: string;
  /** What makes it the same content: equal identities, equal content. */
  readonly identity: string;
}

/** The Node binary that executables of a target are made from. */
export interface LockedBase {
  /** npm package that it comes in. */
  readonly package: string;
  readonly version: string;
  readonly integrity: string;
}

/** Exactly what a manifest was resolved to: `forgejo-runner.build.lock`. */
export interface BuildLock {
  readonly lockVersion: 1;
  readonly tools: {
    readonly builder: string;
    readonly esbuild: string;
    /** Major version: npm chooses by the Node that runs it. */
    readonly node: string;
  };
  /** Version of the backend API. */
  readonly api: string;
  /** Packages of the backends, in the order of registration. */
  readonly backends: readonly string[];
  readonly requests: readonly LockedRequest[];
  /** Packages that are folders, by name, at the version that they had. */
  readonly folders: Readonly<Record<string, string>>;
  readonly overrides: Readonly<Record<string, string>>;
  /** Target to the Node binary for it. */
  readonly bases: Readonly<Record<string, LockedBase>>;
  readonly packages: LockedPackages;
}

const texts = z.record(z.string(), z.string());
const schema: z.ZodType<BuildLock> = z.object({
  lockVersion: z.literal(1),
  tools: z.object({ builder: z.string(), esbuild: z.string(), node: z.string() }),
  api: z.string(),
  backends: z.array(z.string()),
  requests: z.array(z.object({ request: z.string(), name: z.string(), spec: z.string(), identity: z.string() })),
  folders: texts,
  overrides: texts,
  bases: z.record(z.string(), z.object({ package: z.string(), version: z.string(), integrity: z.string() })),
  packages: lockedPackages,
});

/** How a request is found again: without logins, and without places of this machine. */
export function requestKey(spec: RemoteSpec): string {
  if (spec.kind === 'registry') return `${spec.name}@${spec.range}`;
  const text = spec.kind === 'git' ? spec.url : spec.location;
  const isRemote = /^(?:https?|git\+(?:https?|ssh)):/.test(text);
  const place = isRemote ? text.replace(/^([a-z+]+:\/\/)[^/@]+@/i, '$1') : `file:${text.replace(/^.*[/\\]/, '')}`;
  return spec.name === undefined ? place : `${spec.name}=${place}`;
}

/** The tools that a lock names. */
export function currentTools(builder: string): BuildLock['tools'] {
  return { builder, esbuild: esbuildVersion, node: process.versions.node.split('.', 1)[0] ?? '' };
}

/** Reads a lock file; undefined where there is none. @throws UserError `FRB315` */
export async function readLockFile(file: string): Promise<BuildLock | undefined> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  return text === undefined ? undefined : readLock(text, file);
}

/** Reads the text of a lock. @throws UserError `FRB315` */
export function readLock(text: string, where: string): BuildLock {
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    const problem = cause instanceof z.ZodError ? cause.issues[0] : undefined;
    const what = problem === undefined ? 'it is no JSON' : `${problem.path.join('.')}: ${problem.message}`;
    throw new UserError('FRB315', `expected a lock of forgejo-runner-build, but ${what}`, { where, cause });
  }
}

/** The text of a lock file: the same for the same lock, a line for each thing that can change. */
export function lockText(lock: BuildLock): string {
  return `${JSON.stringify(lock, undefined, 2)}\n`;
}

/** How two locks differ in what was asked for and what it is made with, in words. Nothing when the first still holds. */
export function differences(locked: BuildLock, now: BuildLock): readonly string[] {
  const before = new Map(locked.requests.map((one) => [one.request, one]));
  const after = new Map(now.requests.map((one) => [one.request, one]));
  return [
    ...[...after.keys()].filter((key) => !before.has(key)).map((key) => `${key} is not in it`),
    ...[...before.keys()].filter((key) => !after.has(key)).map((key) => `${key} is in it, but nobody asks for it`),
    ...[...after].flatMap(([key, { identity }]) =>
      before.has(key) && before.get(key)?.identity !== identity ? [`${key} has other content now`] : [],
    ),
    ...changed('backends', locked.backends.join(', '), now.backends.join(', ')),
    ...changed('builder', locked.tools.builder, now.tools.builder),
    ...changed('esbuild', locked.tools.esbuild, now.tools.esbuild),
    ...changed('Node', locked.tools.node, now.tools.node),
    ...changedNames('folder', locked.folders, now.folders),
    ...changedNames('override', locked.overrides, now.overrides),
    ...changedNames(
      'Node for',
      Object.fromEntries(Object.entries(locked.bases).map(([target, base]) => [target, base.version])),
      Object.fromEntries(Object.entries(now.bases).map(([target, base]) => [target, base.version])),
    ),
  ];
}

function changed(what: string, before: string | undefined, after: string | undefined): readonly string[] {
  return before === after ? [] : [`${what}: the lock has ${before ?? 'none'}, this build ${after ?? 'none'}`];
}

function changedNames(
  what: string,
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
): readonly string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].flatMap((name) => changed(`${what} ${name}`, before[name], after[name]));
}
