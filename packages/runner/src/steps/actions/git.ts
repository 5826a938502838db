import type { Credentials } from './action-reference.ts';

/** A login and the only server that may see it. */
export interface GitLogin {
  /** Address that the login is for; it may end in a path. */
  readonly origin: string;
  readonly credentials: Credentials;
}

/** A repository of a server. */
export interface GitRemote {
  readonly url: string;
  readonly login?: GitLogin;
  /** Limit in milliseconds of each request or command. */
  readonly timeoutMs: number;
}

/** Where what is fetched goes. */
export interface GitFetch extends GitRemote {
  /** Folder of a bare repository, which is made where it is missing. */
  readonly repository: string;
}

/** A commit in a bare repository on this machine. */
export interface GitCommit {
  readonly repository: string;
  readonly sha: string;
  readonly timeoutMs: number;
}

/** A reference, and the commit that it points at. */
export interface FoundRef {
  /** Full name; the id for a commit that is known by that alone. */
  readonly name: string;
  readonly sha: string;
}

/**
 * What the store of actions needs of git. Bare repositories of one implementation can be read by the others.
 *
 * All of it fails with `GitError`, or with the reason of `signal` when that aborts.
 */
export interface Git {
  /** The first of the full names that the server has. */
  readonly findRef: (names: readonly string[], remote: GitRemote, signal: AbortSignal) => Promise<FoundRef | undefined>;
  /** Ids of the commits below all tags and branches that begin with `start`. */
  readonly findCommits: (start: string, into: GitFetch, signal: AbortSignal) => Promise<readonly string[]>;
  /** Fetches a commit, where the server can without those before it, and says which it was. */
  readonly fetch: (what: FoundRef, into: GitFetch, signal: AbortSignal) => Promise<string>;
  /** Why the files of a commit cannot be read; `undefined` when they can. */
  readonly findDamage: (commit: GitCommit, signal: AbortSignal) => Promise<string | undefined>;
  /** Content of a file, also behind links in the repository; `undefined` for none, or for more than `limitBytes`. */
  readonly readFile: (
    path: string,
    commit: GitCommit & { readonly limitBytes: number },
    signal: AbortSignal,
  ) => Promise<Buffer<ArrayBuffer> | undefined>;
  /** Files of a folder as a tar stream; empty for all. */
  readonly archive: (folder: string, commit: GitCommit, signal: AbortSignal) => AsyncGenerator<Uint8Array>;
}

/** Whether a text is a full commit id. */
export function isFullSha(text: string): boolean {
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text);
}
