import { existsSync } from 'node:fs';
import path from 'node:path';
import { fetchPackages } from '../fetch.ts';
import { readEmbeddedLock } from '../evidence/embedded-lock.ts';
import { newManifest } from '../manifest/edit-manifest.ts';
import { defaultBackends } from '../manifest/layer.ts';
import { lockFileOf, manifestName } from '../manifest/load-manifest.ts';
import { coreName, runnerName } from '../resolve/installation.ts';
import { type BuildLock, lockText, readLockFile } from '../resolve/lock.ts';
import { writeTextFile } from '../store/write-output.ts';
import { quoted, UserError } from '../user-error.ts';
import type { UpdateFlags } from './define-lock.ts';
import { exitCodes } from './exit-codes.ts';
import { cacheOption, openCommandProject } from './open-command-project.ts';
import { openProgress } from './print-progress.ts';

/** The command `update`. Resolves to its exit code. */
export async function updateCommand(
  names: readonly string[],
  flags: UpdateFlags,
  signal: AbortSignal,
): Promise<number> {
  const cwd = process.cwd();
  if (flags.from !== undefined) return takeFrom(path.resolve(cwd, flags.from), flags);
  const project = await openCommandProject(flags, cwd);
  const file = requireFile(project.file, cwd);
  const before = await readLockFile(lockFileOf(file));
  requireKnown(names, before);
  await using progress = await openProgress(flags.logFormat, ['resolve']);
  const { lock } = await fetchPackages({
    ...project.lock,
    ...cacheOption(flags, cwd),
    isFrozen: false,
    refresh: names.length === 0 ? true : names,
    manifest: project.manifest,
    cwd,
    signal,
    onEvent: progress.onEvent,
  });
  const lines = changes(before, lock);
  process.stdout.write(`${lines.length === 0 ? 'nothing newer' : lines.join('\n')}\n`);
  return exitCodes.done;
}

function requireFile(file: string | undefined, cwd: string): string {
  if (file !== undefined) return file;
  throw new UserError('FRB206', `expected a manifest in ${cwd}, found none`, {
    next: 'write one: forgejo-runner-build init',
  });
}

function requireKnown(names: readonly string[], lock: BuildLock | undefined): void {
  const places = Object.keys(lock?.packages ?? {});
  const unknown = names.find((name) => !places.some((at) => at.endsWith(`node_modules/${name}`)));
  if (unknown === undefined) return;
  throw new UserError('FRB207', `${quoted(unknown)} is not in the lock`, { next: 'see the names in the lock' });
}

function changes(before: BuildLock | undefined, now: BuildLock): readonly string[] {
  const places = new Set([...Object.keys(before?.packages ?? {}), ...Object.keys(now.packages)]);
  return [...places].toSorted().flatMap((at) => {
    const [old, fresh] = [before?.packages[at]?.version, now.packages[at]?.version];
    const name = at.replace(/^node_modules\//, '');
    return old === fresh ? [] : [`${name} ${old ?? 'new'} -> ${fresh ?? 'gone'}`];
  });
}

/** Manifest and lock of a runner that somebody built, so that it can be built again, and changed from there. */
async function takeFrom(runner: string, flags: UpdateFlags): Promise<number> {
  const lock = await readEmbeddedLock(runner);
  const manifestFile = path.resolve(typeof flags.manifest === 'string' ? flags.manifest : manifestName);
  const ours = [coreName, runnerName];
  const asked = lock.requests.filter((one) => !ours.includes(one.name));
  if (!existsSync(manifestFile)) {
    const without = Object.entries(defaultBackends)
      .filter(([, name]) => !lock.backends.includes(name))
      .map(([id]) => id);
    const text = newManifest({
      with: asked.filter((one) => !isDefault(one.name)).map((one) => one.request),
      ...(without.length === 0 ? {} : { without }),
    });
    await writeTextFile(manifestFile, text);
    process.stdout.write(`wrote ${manifestFile}\n`);
  }
  const local = lock.backends.filter((name) => !isDefault(name) && !asked.some((one) => one.name === name));
  for (const name of local) process.stderr.write(`${name} was a local folder: add it with --with ${name}=PATH\n`);
  const lockFile = lockFileOf(manifestFile);
  await writeTextFile(lockFile, lockText(lock));
  process.stdout.write(`wrote ${lockFile}\n`);
  return exitCodes.done;
}

function isDefault(name: string): boolean {
  return Object.values(defaultBackends).includes(name);
}
