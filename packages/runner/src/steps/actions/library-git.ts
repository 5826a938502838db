import * as fs from 'node:fs';
import type * as library from 'isomorphic-git';
import type { FoundRef, Git, GitFetch, GitRemote } from './git.ts';
import { isFullSha } from './git.ts';
import { GitError } from './git-error.ts';
import { gitHttp, needsGit } from './git-http.ts';
import { archiveTree, readFile } from './library-tree.ts';

// Loaded when it is needed: most machines have git, and start-up should not pay for this.
const load = (): Promise<typeof library> => import('isomorphic-git');

/**
 * Git by a library, for machines without git. Slower, takes a whole pack into memory, and knows no SHA-256.
 *
 * @param env the runner's own environment, for proxies and certificates.
 */
export function libraryGit(env: Readonly<Record<string, string | undefined>>): Git {
  return {
    findRef: (names, remote, signal) => talk(env, remote, signal, (http) => findRef(names, remote, http)),
    findCommits: (start, into, signal) =>
      talk(env, into, signal, async (http) => {
        await fetchAll(into, http);
        return listCommits(start, into.repository);
      }),
    fetch: (what, into, signal) => talk(env, into, signal, (http) => fetchCommit(what, into, http)),
    findDamage: async ({ repository, sha }, signal) => {
      signal.throwIfAborted();
      const { readTree } = await load();
      try {
        await readTree({ fs, gitdir: repository, oid: sha });
        return undefined;
      } catch (error) {
        return String(error);
      }
    },
    readFile: async (path, commit, signal) => {
      signal.throwIfAborted();
      try {
        return await readFile(await load(), path, commit);
      } catch (error) {
        throw damaged(error);
      }
    },
    archive: async function* archive(folder, commit, signal) {
      try {
        yield* archiveTree(await load(), folder, commit, signal);
      } catch (error) {
        signal.throwIfAborted();
        throw damaged(error);
      }
    },
  };
}

/** Runs what needs the network; errors come out as those of the interface. */
async function talk<T>(
  env: Readonly<Record<string, string | undefined>>,
  remote: GitRemote,
  signal: AbortSignal,
  run: (http: library.HttpClient) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  using http = await gitHttp(env, remote, signal);
  try {
    return await run(http);
  } catch (error) {
    signal.throwIfAborted();
    throw translated(error);
  } finally {
    // It may have been busy with what was already there.
    signal.throwIfAborted();
  }
}

function translated(error: unknown): GitError {
  if (error instanceof GitError) return error;
  const { code, message } = error as { readonly code?: string; readonly message?: string };
  // The library looks it up before it stores what came.
  if (code === 'NotFoundError' && message?.includes('HEAD')) return needsGit('a repository without its default branch');
  if (code === 'NotFoundError') return new GitError('no-ref', message ?? code, error);
  if (code === 'SmartHttpError' || code === 'EmptyServerResponseError')
    return new GitError('no-repository', 'the server does not answer as one of git', error);
  return new GitError('other', String(message ?? error).slice(0, 300), error);
}

/** What went wrong without the network: the repository is not what was fetched. */
function damaged(error: unknown): GitError {
  if (error instanceof GitError) return error;
  return new GitError('other', `the stored commit cannot be read: ${String(error).slice(0, 300)}`, error);
}

async function findRef(
  names: readonly string[],
  { url }: GitRemote,
  http: library.HttpClient,
): Promise<FoundRef | undefined> {
  const { listServerRefs } = await load();
  for (const name of names) {
    // A prefix also finds what only begins like it.
    const listed = await listServerRefs({ http, url, prefix: name, peelTags: true, protocolVersion: 2 });
    const found = listed.find(({ ref }) => ref === name);
    if (found !== undefined) return { name, sha: found.peeled ?? found.oid };
  }
  return undefined;
}

async function fetchCommit({ name, sha }: FoundRef, into: GitFetch, http: library.HttpClient): Promise<string> {
  requireSha1(sha);
  const git = await load();
  await initialize(into);
  const { repository: gitdir, url } = into;
  const read = async (oid: string): Promise<string> => (await git.readCommit({ fs, gitdir, oid })).oid;
  try {
    const request = { fs, http, gitdir, url, remote, ref: name, singleBranch: true, depth: 1, tags: false };
    const { fetchHead } = await git.fetch(request);
    return await read(fetchHead ?? name);
  } catch (error) {
    if (!isFullSha(name) || translated(error).failure !== 'no-ref') throw error;
    // Some servers hand out only what a reference points at.
    await fetchAll(into, http);
    return read(name);
  }
}

const remote = 'origin';

async function initialize({ repository: gitdir, url }: GitFetch): Promise<void> {
  const git = await load();
  await git.init({ fs, gitdir, bare: true });
  await git.addRemote({ fs, gitdir, remote, url, force: true });
}

async function fetchAll(into: GitFetch, http: library.HttpClient): Promise<void> {
  const git = await load();
  await initialize(into);
  const { repository: gitdir, url } = into;
  // The library wants one name, which HEAD need not be.
  const [first] = await git.listServerRefs({ http, url, prefix: 'refs/', protocolVersion: 2 });
  if (first === undefined) throw new GitError('no-ref', 'the repository is empty');
  await git.fetch({ fs, http, gitdir, url, remote, remoteRef: first.ref, tags: true });
}

async function listCommits(start: string, gitdir: string): Promise<readonly string[]> {
  const git = await load();
  const found = await git.expandOid({ fs, gitdir, oid: start }).then(
    (oid) => [oid],
    (error: unknown) => {
      if (error instanceof git.Errors.NotFoundError) return [];
      if (error instanceof git.Errors.AmbiguousError) return error.data.matches;
      throw error;
    },
  );
  const types = await Promise.all(
    found.map(async (oid) => (await git.readObject({ fs, gitdir, oid, format: 'parsed' })).type),
  );
  return found.filter((_, index) => types[index] === 'commit');
}

function requireSha1(sha: string): void {
  if (sha.length !== 40) throw needsGit('a repository with ids of SHA-256');
}
