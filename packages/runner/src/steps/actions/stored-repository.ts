import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Git, GitCommit } from './git.ts';

/** A commit of a repository in the store. */
export interface StoredRepository {
  /** The same for the same commit of the same repository; safe as the name of a folder. */
  readonly id: string;
  readonly url: string;
  readonly sha: string;
  /** Reads files by their path in the repository; those that are not there are left out. */
  readonly readFiles: (
    paths: readonly string[],
    signal: AbortSignal,
  ) => Promise<ReadonlyMap<string, Buffer<ArrayBuffer>>>;
  /** The files of a folder as a tar stream; empty for all. */
  readonly archive: (folder: string, signal: AbortSignal) => AsyncGenerator<Uint8Array>;
}

/** More than a definition of an action or its list of ignored files needs. */
const maxFileBytes = 1024 * 1024;

/** Reads a commit that lies in the store. */
export function storedRepository(stored: {
  readonly git: Git;
  readonly folder: string;
  readonly sha: string;
  readonly url: string;
  readonly timeoutMs: number;
}): StoredRepository {
  const { git, sha, url, timeoutMs } = stored;
  const commit: GitCommit = { repository: join(stored.folder, 'git'), sha, timeoutMs };
  return {
    id: createHash('sha256').update(`${url}\n${sha}`).digest('hex').slice(0, 24),
    url,
    sha,
    readFiles: async (paths, signal) => {
      const files = new Map<string, Buffer<ArrayBuffer>>();
      for (const path of paths.filter(isPlain)) {
        const content = await git.readFile(path, { ...commit, limitBytes: maxFileBytes }, signal);
        if (content !== undefined) files.set(path, content);
      }
      return files;
    },
    archive: (folder, signal) => git.archive(folder, commit, signal),
  };
}

/** git reads one path a line, and takes `..` and `.` at the start for a place in a working tree. */
function isPlain(path: string): boolean {
  return !/[\r\n\0]/.test(path) && !path.split('/').some((part) => part === '' || part === '.' || part === '..');
}
