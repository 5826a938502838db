import { resolve } from 'node:path';
import type { CacheEntry } from '../cache/cache-store.ts';
import type { Cache } from '../cache/open-cache.ts';
import { openConfigured } from '../cache/open-runner-cache.ts';
import { loadConfig } from '../config/load.ts';
import { readSecretUrl } from '../config/secret-source.ts';
import { openProcessLog } from '../daemon/process-log.ts';
import { durationText, nameText } from '../local/terminal-text.ts';
import { quoted, UserError } from '../user-error.ts';
import type { CommandContext } from './command-context.ts';
import { exitCodes } from './exit-codes.ts';
import { formatTable } from './format-table.ts';

/** Flags of the commands below `cache`. */
export interface CacheFlags {
  readonly config?: string;
  readonly dir?: string;
  readonly json?: boolean;
  readonly repository?: string;
  readonly key?: string;
  /** Of `rm`: all that the other flags leave. */
  readonly all?: boolean;
  readonly ids?: readonly string[];
}

/** `cache`: what its first argument says. */
export async function manageCache(
  [action, ...ids]: readonly string[],
  flags: CacheFlags,
  context: CommandContext,
): Promise<number> {
  if (action === 'rm') return removeFromCache({ ...flags, ids }, context);
  if (ids.length > 0) {
    throw new UserError('FRR101', {
      problems: [{ message: `expected nothing after ${action}, found ${quoted(ids.join(' '))}` }],
    });
  }
  return action === 'ls' ? listCache(flags, context) : showCacheStats(flags, context);
}

/** `cache ls`: the entries, those that were used last first. */
async function listCache(flags: CacheFlags, context: CommandContext): Promise<number> {
  const { io } = context;
  await using cache = await openHere(flags, context);
  const entries: CacheEntry[] = [];
  for await (const entry of chosen(cache, flags)) entries.push(entry);
  if (flags.json === true) {
    io.stdout.write(`${JSON.stringify({ schema: 1, entries: entries.map(jsonEntry) }, undefined, 2)}\n`);
    return exitCodes.success;
  }
  if (entries.length === 0) {
    io.stdout.write('No entry is in the cache\n');
    return exitCodes.success;
  }
  const nowMs = Date.now();
  const rows = entries.map(({ id, repository, scope, key, size, createdMs, usedMs }) => [
    id,
    ...[repository, scope, key].map((name) => nameText(name) || '-'),
    sizeText(size),
    `${durationText(nowMs - createdMs)} ago`,
    usedMs === undefined ? '-' : `${durationText(nowMs - usedMs)} ago`,
  ]);
  io.stdout.write(formatTable([['ID', 'REPOSITORY', 'SCOPE', 'KEY', 'SIZE', 'CREATED', 'USED'], ...rows]));
  return exitCodes.success;
}

/** `cache rm`: removes entries by id, or all that the flags choose. */
async function removeFromCache(flags: CacheFlags, context: CommandContext): Promise<number> {
  const ids = new Set(flags.ids);
  const isChoice = flags.all === true || flags.repository !== undefined || flags.key !== undefined;
  if (ids.size === 0 && !isChoice) {
    throw new UserError('FRR101', {
      problems: [{ message: 'expected ids of entries, --repository, --key or --all, found none' }],
      next: 'forgejo-runner cache ls shows the ids',
    });
  }
  await using cache = await openHere(flags, context);
  let [count, bytes] = [0, 0];
  for await (const { id, size } of chosen(cache, flags)) {
    if (ids.size > 0 && !ids.delete(id)) continue;
    await cache.store.remove(id);
    count += 1;
    bytes += size;
  }
  context.io.stdout.write(`Removed ${count === 1 ? '1 entry' : `${count} entries`} (${sizeText(bytes)})\n`);
  if (ids.size === 0) return exitCodes.success;
  context.io.stderr.write(`No entry has the id ${[...ids].map(nameText).join(', ')}\n`);
  return exitCodes.failure;
}

/** `cache stats`: what the cache has, by repository. */
async function showCacheStats(flags: CacheFlags, context: CommandContext): Promise<number> {
  const { io } = context;
  await using cache = await openHere(flags, context);
  const byRepository = new Map<string, { entries: number; bytes: number }>();
  const total = { entries: 0, bytes: 0 };
  for await (const { repository, size } of chosen(cache, flags)) {
    const sum = byRepository.get(repository) ?? { entries: 0, bytes: 0 };
    byRepository.set(repository, sum);
    for (const one of [sum, total]) {
      one.entries += 1;
      one.bytes += size;
    }
  }
  const repositories = [...byRepository].map(([repository, sum]) => ({ repository, ...sum }));
  repositories.sort((a, b) => b.bytes - a.bytes);
  if (flags.json === true) {
    io.stdout.write(`${JSON.stringify({ schema: 1, ...total, repositories }, undefined, 2)}\n`);
    return exitCodes.success;
  }
  const rows = repositories.map(({ repository, entries, bytes }) => [
    nameText(repository),
    String(entries),
    sizeText(bytes),
  ]);
  io.stdout.write(
    formatTable([['REPOSITORY', 'ENTRIES', 'SIZE'], ...rows, ['all', String(total.entries), sizeText(total.bytes)]]),
  );
  return exitCodes.success;
}

async function openHere(flags: CacheFlags, { io }: CommandContext): Promise<Cache> {
  const { cache } = await loadConfig(flags.config === undefined ? undefined : resolve(io.cwd, flags.config), {
    cwd: io.cwd,
  });
  const log = openProcessLog({ stream: io.stderr, level: 'warn', mask: (text) => text });
  const dir = flags.dir === undefined ? {} : { dir: resolve(io.cwd, flags.dir) };
  return openConfigured({
    config: { ...cache, ...dir },
    env: io.env,
    log,
    readSecret: (url, subject) => readSecretUrl(url, { env: io.env, cwd: io.cwd, subject }),
  });
}

async function* chosen({ store }: Cache, { repository, key }: CacheFlags): AsyncGenerator<CacheEntry> {
  for await (const entry of store.list()) {
    const isOf =
      repository === undefined || entry.repository === repository || entry.repository.endsWith(`/${repository}`);
    if (isOf && entry.key.startsWith(key ?? '')) yield entry;
  }
}

function jsonEntry({ createdMs, usedMs, ...entry }: CacheEntry): object {
  const used = usedMs === undefined ? null : new Date(usedMs).toISOString();
  return { ...entry, created: new Date(createdMs).toISOString(), used };
}

/** Of three digits, as `ls -h` writes it. */
function sizeText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toPrecision(3)} ${units[unit]}`;
}
