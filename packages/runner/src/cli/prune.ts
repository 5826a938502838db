import { randomUUID } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Logger, Owner, SweepReport } from '@forgejo-runner/core';
import { loadConfig } from '../config/load.ts';
import type { RunnerConfig } from '../config/runner-config.ts';
import { readRunnerIdentity } from '../config/runner-identity.ts';
import { openEachBackend } from '../daemon/open-each-backend.ts';
import { openProcessLog } from '../daemon/process-log.ts';
import { type PrunedPlace, pruneBackends } from '../daemon/prune-backends.ts';
import { openCall } from '../environment/call-context.ts';
import { actionLimits, actionsFolder } from '../local/open-local-actions.ts';
import { localStateDir } from '../local/open-local-backends.ts';
import { nameText } from '../local/terminal-text.ts';
import { parseDuration } from '../plan/duration.ts';
import { readBytes } from '../plan/option-values.ts';
import { pruneStore } from '../steps/actions/store-prune.ts';
import { type Problem, quoted, UserError } from '../user-error.ts';
import type { CommandContext } from './command-context.ts';
import { exitCodes } from './exit-codes.ts';
import { formatTable } from './format-table.ts';

/** Flags of `prune` as they were written. */
export interface PruneFlags {
  readonly config?: string;
  readonly unused?: string;
  readonly maxSize?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
  readonly debug?: boolean;
}

/** What became of one place. */
interface Place {
  /** `actions`, or the id of a backend. */
  readonly place: string;
  /** Whose: what local runs keep, or what a runner keeps that works for instances. */
  readonly of: 'all' | 'exec' | 'daemon';
  readonly removed: readonly string[];
  readonly leaked: readonly { readonly resource: string; readonly error: string }[];
  readonly freedBytes: number;
  readonly keptBytes: number;
  readonly problem?: string;
}

interface Limits {
  readonly unusedMs?: number;
  readonly maxBytes?: number;
}

const sweepTimeoutMs = 5 * 60_000;

/** `prune`: removes what is kept between jobs, beside runners that work. */
export async function prune(flags: PruneFlags, context: CommandContext): Promise<number> {
  const { io } = context;
  const limits = readLimits(flags);
  const path = flags.config === undefined ? undefined : resolve(io.cwd, flags.config);
  const config = await loadConfig(path, { cwd: io.cwd });
  const log = openProcessLog({
    stream: io.stderr,
    level: flags.debug === true ? 'debug' : 'warn',
    mask: (text) => text,
  });
  const dryRun = flags.dryRun === true;
  const places: Place[] = [await pruneActions(limits, dryRun, context)];
  for (const identity of await identities(io.env)) {
    places.push(...(await pruneOwned({ ...identity, config, log, limits, dryRun }, context)));
  }
  if (flags.json === true) io.stdout.write(`${JSON.stringify({ schema: 1, dryRun, places }, undefined, 2)}\n`);
  else print(places, dryRun, context);
  const hasFailed = places.some(({ leaked, problem }) => leaked.length > 0 || problem !== undefined);
  return hasFailed ? exitCodes.failure : exitCodes.success;
}

/** @throws UserError `FRR101` with every flag that cannot be read. */
function readLimits({ unused, maxSize }: PruneFlags): Limits {
  const problems: Problem[] = [];
  const unusedMs = unused === undefined ? undefined : parseDuration(unused);
  if (unused !== undefined && unusedMs === undefined) {
    problems.push({ message: `expected a duration such as 48h after --unused, found ${quoted(unused)}` });
  }
  const size = maxSize === undefined ? undefined : readBytes(maxSize);
  if (size !== undefined && 'problem' in size) problems.push({ message: `--max-size: ${size.problem}` });
  if (problems.length > 0) throw new UserError('FRR101', { problems, next: 'write --unused 48h --max-size 20g' });
  return {
    ...(unusedMs === undefined ? {} : { unusedMs }),
    ...(size !== undefined && 'value' in size ? { maxBytes: size.value } : {}),
  };
}

async function pruneActions(limits: Limits, dryRun: boolean, { io }: CommandContext): Promise<Place> {
  const { unusedMs: maxAgeMs = actionLimits.maxAgeMs, maxBytes = actionLimits.maxBytes } = limits;
  const base = { place: 'actions', of: 'all', leaked: [] } as const;
  try {
    const report = await pruneStore(actionsFolder(io.env), { maxAgeMs, maxBytes, dryRun }, io.signal);
    const removed = report.removed === 0 ? [] : [`${report.removed} commits of repositories with actions`];
    return { ...base, removed, freedBytes: report.freedBytes, keptBytes: report.keptBytes };
  } catch (error) {
    io.signal.throwIfAborted();
    return { ...base, removed: [], freedBytes: 0, keptBytes: 0, problem: String(error) };
  }
}

interface Identity {
  readonly of: 'exec' | 'daemon';
  readonly stateDir: string;
  readonly owner: Owner;
}

/** The identities that runners of this user have; one that never ran has none, and owns nothing. */
async function identities(env: CommandContext['io']['env']): Promise<readonly Identity[]> {
  const exec = localStateDir(env);
  const state = dirname(exec);
  const found: Identity[] = [];
  for (const [of, stateDir] of [
    ['exec', exec],
    ['daemon', join(state, 'one-job')],
  ] as const) {
    const hasRun = await stat(join(stateDir, 'runner-id')).catch(() => undefined);
    if (hasRun !== undefined) found.push({ of, stateDir, owner: await readRunnerIdentity(stateDir) });
  }
  const runners = join(state, 'runners');
  for (const name of await readdir(runners).catch(() => [])) {
    // A runner for instances goes by its UUID there, which is the name of its folder.
    if (!/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(name)) continue;
    found.push({ of: 'daemon', stateDir: join(runners, name), owner: { runner: name, boot: randomUUID() } });
  }
  return found;
}

interface Owned extends Identity {
  readonly config: RunnerConfig;
  readonly log: Logger;
  readonly limits: Limits;
  readonly dryRun: boolean;
}

async function pruneOwned(owned: Owned, { io, factories, dockerDriver }: CommandContext): Promise<readonly Place[]> {
  const { of, owner, log, limits, dryRun } = owned;
  await using backends = await openEachBackend({ ...owned, factories }, io.signal);
  const places: Place[] = [];
  for (const { backend, problem, isConfigured } of backends.failures) {
    // Somebody who never uses a backend need not have what it works with.
    if (isConfigured) places.push({ ...nothing, place: backend, of, problem });
    else log.debug('a backend that nobody configured cannot be opened', { backend, problem });
  }
  for (const backend of backends.all()) {
    using ctx = openCall({ signal: io.signal, timeoutMs: sweepTimeoutMs, log });
    // Runners that work now, or will go on after a restart, still need what is not over yet.
    const request = { owner, keep: [], otherBoots: 'only-expired', dryRun } as const;
    const swept = backend.sweep(request, ctx).then(
      (report) => sweptPlace(backend.id, of, report),
      (error: unknown) => ({
        ...nothing,
        place: backend.id,
        of,
        problem: error instanceof Error ? error.message : String(error),
      }),
    );
    places.push(await swept);
  }
  const driver = dockerDriver === undefined ? {} : { driver: dockerDriver };
  const pruned = await pruneBackends(backends, { owner, log, dryRun, ...limits, ...driver }, io.signal);
  return merged([...places, ...pruned.map((place) => prunedPlace(place, of))]);
}

const nothing = { removed: [], leaked: [], freedBytes: 0, keptBytes: 0 } as const;

function sweptPlace(place: string, of: Place['of'], { removed, leaked }: SweepReport): Place {
  return { ...nothing, place, of, removed, leaked };
}

function prunedPlace({ backend, report, problem }: PrunedPlace, of: Place['of']): Place {
  if (report === undefined) return { ...nothing, place: backend, of, problem };
  const { removed, leaked, freedBytes, keptBytes } = report;
  return { place: backend, of, removed, leaked, freedBytes, keptBytes };
}

/** One entry for each backend: the sweep and each engine had their own. */
function merged(places: readonly Place[]): readonly Place[] {
  const byPlace = new Map<string, Place>();
  for (const one of places) {
    const known = byPlace.get(one.place);
    byPlace.set(one.place, known === undefined ? one : together(known, one));
  }
  return [...byPlace.values()];
}

function together(one: Place, other: Place): Place {
  const problems = [...new Set([one.problem, other.problem].filter((problem) => problem !== undefined))];
  return {
    place: one.place,
    of: one.of,
    removed: [...one.removed, ...other.removed],
    leaked: [...one.leaked, ...other.leaked],
    freedBytes: one.freedBytes + other.freedBytes,
    keptBytes: one.keptBytes + other.keptBytes,
    ...(problems.length === 0 ? {} : { problem: problems.join('; ') }),
  };
}

function print(places: readonly Place[], dryRun: boolean, { io }: CommandContext): void {
  const head = ['PLACE', 'OF', dryRun ? 'TO REMOVE' : 'REMOVED', dryRun ? 'TO FREE' : 'FREED', 'KEPT'];
  const rows = places.map(({ place, of, removed, freedBytes, keptBytes }) => [
    place,
    of,
    String(removed.length),
    megabytes(freedBytes),
    megabytes(keptBytes),
  ]);
  io.stdout.write(formatTable([head, ...rows]));
  for (const { place, removed } of places) {
    // Names of images are those of workflows: they must not write to the terminal of the reader.
    for (const one of removed) io.stdout.write(`${place}: ${dryRun ? 'would remove' : 'removed'} ${nameText(one)}\n`);
  }
  for (const { place, leaked, problem } of places) {
    if (problem !== undefined) io.stderr.write(`${place}: ${nameText(problem)}\n`);
    for (const { resource, error } of leaked)
      io.stderr.write(`${place}: cannot remove ${nameText(resource)}: ${nameText(error)}\n`);
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
