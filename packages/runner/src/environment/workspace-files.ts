import { constants } from 'node:fs';
import { open, readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { type CallContext, isBackendError } from '@forgejo-runner/core';
import { extract } from 'tar-stream';
import {
  type FileLister,
  hashFilesFunction as hashFilesOver,
  type ListedFile,
  type ListOptions,
} from '../expressions/hash-files.ts';
import type { ScopeFunction } from '../expressions/scope.ts';
import { joinInside } from './job-paths.ts';
import type { OpenEnvironment } from './open-environment.ts';
import { feedArchive } from './target-files.ts';

/** Hashing a large workspace takes its time; the step's own limit holds beside this one. */
const listMs = 10 * 60_000;

/** `hashFiles` over the workspace of a job. Needs no program in the environment. */
export function hashFilesFunction(place: OpenEnvironment, signal: AbortSignal): ScopeFunction {
  return hashFilesOver(workspaceLister(place, signal));
}

function workspaceLister(place: OpenEnvironment, signal: AbortSignal): FileLister {
  const { workspace } = place.info.paths;
  const shared = place.target.sharedPath?.(workspace);
  return {
    root: workspace,
    list: (patterns, options) =>
      shared === undefined ? listByTar(place, patterns, options, signal) : listShared(shared, options, signal),
  };
}

/** Walks a folder that the runner sees itself: nothing is read but what a pattern takes. */
async function* listShared(root: string, options: ListOptions, signal: AbortSignal): AsyncGenerator<ListedFile> {
  const folders = [''];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    signal.throwIfAborted();
    for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) folders.push(path);
      else if (entry.isFile() || (entry.isSymbolicLink() && options.followSymbolicLinks))
        yield { path, content: readShared(root, path) };
    }
  }
}

async function* readShared(root: string, path: string): AsyncGenerator<Uint8Array> {
  // A link may lead anywhere on the runner's machine: only what stays in the workspace is read.
  const [real, realRoot] = [await realpath(join(root, path)), await realpath(root)];
  if (!real.startsWith(join(realRoot, '/'))) throw new Error(`${JSON.stringify(path)} leads out of the workspace`);
  await using file = await open(real, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
  if (!(await file.stat()).isFile()) return;
  yield* file.createReadStream() as AsyncIterable<Uint8Array>;
}

/** Takes the folders that the patterns begin with out of the environment, and reads them as they come. */
async function* listByTar(
  place: OpenEnvironment,
  patterns: readonly string[],
  options: ListOptions,
  signal: AbortSignal,
): AsyncGenerator<ListedFile> {
  if (options.followSymbolicLinks) throw new Error('--follow-symbolic-links is not possible in this environment');
  using ctx = place.call(signal, listMs);
  for (const start of startsOf(patterns, place.info.paths.workspace)) yield* listStart(place, start, ctx);
}

async function* listStart(place: OpenEnvironment, start: string, ctx: CallContext): AsyncGenerator<ListedFile> {
  const { info, target } = place;
  const archive = extract();
  const src = start === '' ? info.paths.workspace : joinInside(info, info.paths.workspace, start);
  const feed = feedArchive(archive, target.copyOut({ src }, ctx));
  try {
    for await (const entry of archive) {
      // The top entry is called like the last part of the path.
      const [, ...below] = entry.header.name.split('/');
      const path = [...start.split('/'), ...below].filter((part) => part !== '').join('/');
      if (entry.header.type === 'file') yield { path, content: entry as AsyncIterable<Uint8Array> };
      entry.resume();
    }
    await feed;
  } catch (error) {
    if (!isBackendError(error) || error.code !== 'not_found') throw error;
  }
}

/** The folders in front of the first star of each pattern, without those inside of others. */
export function startsOf(patterns: readonly string[], root: string): readonly string[] {
  const starts = patterns
    .filter((pattern) => !pattern.startsWith('!'))
    .map((pattern) => {
      const parts = (pattern.startsWith(`${root}/`) ? pattern.slice(root.length) : pattern)
        .split('/')
        .filter((part) => part !== '' && part !== '.');
      const glob = parts.findIndex((part) => /[*?[\\]/.test(part));
      return (glob < 0 ? parts : parts.slice(0, glob)).join('/');
    })
    .toSorted();
  return starts.filter(
    (start, index) =>
      !starts.slice(0, index).some((other) => other === '' || other === start || start.startsWith(`${other}/`)),
  );
}
