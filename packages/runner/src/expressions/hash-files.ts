import { createHash } from 'node:crypto';
import { type Glob, matchesGlob, parseGlob } from './glob.ts';
import type { ScopeFunction } from './scope.ts';
import { toText } from './values.ts';

/** A file that may be hashed. `content` is read once, and only when a pattern takes the path. */
export interface ListedFile {
  /** From the workspace, with `/`, such as `src/package.json`. */
  readonly path: string;
  readonly content: AsyncIterable<Uint8Array>;
}

/** Hands out the files of a workspace, in any order. The patterns say what is worth listing; more does no harm. */
export interface FileLister {
  /** The workspace as the job sees it, for patterns that begin with it. */
  readonly root: string;
  readonly list: (patterns: readonly string[], options: ListOptions) => AsyncIterable<ListedFile>;
}

/** What `hashFiles` was asked beside its patterns. */
export interface ListOptions {
  readonly followSymbolicLinks: boolean;
}

const followOption = '--follow-symbolic-links';

/**
 * The SHA-256 over the SHA-256 digests of all files that the patterns take, in the order of their paths; empty where
 * they take none. `!` takes files out again, a later pattern may bring them back, and `#` begins a comment.
 *
 * Source: GitHub's `hashFiles`.
 */
export async function hashFiles(patterns: readonly string[], files: FileLister): Promise<string> {
  const lines = patterns.flatMap((pattern) => pattern.split('\n')).map((line) => line.trim());
  const wanted = lines.filter((line) => line !== '' && line !== followOption && !line.startsWith('#'));
  const rules = wanted.map((pattern) => readRule(pattern, files.root));
  const digests = new Map<string, Uint8Array>();
  for await (const { path, content } of files.list(wanted, { followSymbolicLinks: lines.includes(followOption) })) {
    if (!isTaken(rules, path) || digests.has(path)) continue;
    const hash = createHash('sha256');
    for await (const chunk of content) hash.update(chunk);
    digests.set(path, hash.digest());
  }
  if (digests.size === 0) return '';
  const all = createHash('sha256');
  for (const path of [...digests.keys()].toSorted(byCodeUnits)) all.update(digests.get(path) ?? '');
  return all.digest('hex');
}

/** `hashFiles` for the scope of an expression. */
export function hashFilesFunction(files: FileLister): ScopeFunction {
  return { minArguments: 1, maxArguments: 255, call: (args) => hashFiles(args.map(toText), files) };
}

interface Rule {
  readonly isExcluding: boolean;
  readonly glob: Glob;
}

function readRule(pattern: string, root: string): Rule {
  const isExcluding = pattern.startsWith('!');
  const path = isExcluding ? pattern.slice(1).trim() : pattern;
  const base = root.endsWith('/') ? root : `${root}/`;
  return { isExcluding, glob: parseGlob(path.startsWith(base) ? path.slice(base.length) : path) };
}

function isTaken(rules: readonly Rule[], path: string): boolean {
  let isIn = false;
  for (const { isExcluding, glob } of rules) {
    if (isIn === isExcluding && matchesGlob(glob, path)) isIn = !isExcluding;
  }
  return isIn;
}

function byCodeUnits(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
