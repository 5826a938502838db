import { execFile } from 'node:child_process';
import { userInfo } from 'node:os';
import { basename, resolve } from 'node:path';
import { promisify } from 'node:util';

/** What an instance would say about the repository that a job runs for. */
export interface RepositoryContext {
  /** `owner/name`. */
  readonly repository: string;
  readonly owner: string;
  readonly name: string;
  /** `refs/heads/main` or `refs/tags/v1`. */
  readonly ref: string;
  readonly refName: string;
  readonly refType: 'branch' | 'tag';
  readonly sha: string;
  readonly actor: string;
  readonly defaultBranch: string;
  /** Without a slash at its end and without credentials. */
  readonly serverUrl: string;
}

const noCommit = '0'.repeat(40);

/**
 * Reads the checkout that `directory` is in with the system's git. What git cannot tell, or all where there is no git,
 * no checkout or no commit, gets a value that workflows can live with: they run for `local/<folder>` on `main`.
 */
export async function readRepositoryContext(
  directory: string,
  instance: string | undefined,
  signal: AbortSignal,
): Promise<RepositoryContext> {
  signal.throwIfAborted();
  const git = (...args: string[]): Promise<string | undefined> => askGit(directory, args, signal);
  // Each question costs a process, and a run of one short job has little else to wait for.
  const [sha, branchRef, originHead, settings] = await Promise.all([
    git('rev-parse', '--verify', '--quiet', 'HEAD'),
    git('symbolic-ref', '--quiet', 'HEAD'),
    git('symbolic-ref', '--quiet', 'refs/remotes/origin/HEAD'),
    git('config', '-z', '--get-regexp', String.raw`^(remote\.origin\.url|init\.defaultbranch|user\.name)$`),
  ]);
  const isNameless = sha !== undefined && branchRef === undefined;
  const tag = isNameless ? await git('describe', '--tags', '--exact-match', 'HEAD') : undefined;
  signal.throwIfAborted();
  const { 'remote.origin.url': remote, 'init.defaultbranch': configured, 'user.name': user } = readSettings(settings);
  const origin = remote === undefined ? undefined : readRemote(remote);
  const owner = origin?.owner ?? 'local';
  const name = origin?.name ?? safeName(basename(resolve(directory)), 'repository');
  const defaultBranch = originHead?.replace('refs/remotes/origin/', '') ?? configured ?? 'main';
  const ref = branchRef ?? (tag === undefined ? `refs/heads/${defaultBranch}` : `refs/tags/${tag}`);
  return {
    repository: `${owner}/${name}`,
    owner,
    name,
    ref,
    refName: ref.replace(/^refs\/(?:heads|tags)\//, ''),
    refType: ref.startsWith('refs/tags/') ? 'tag' : 'branch',
    sha: sha ?? noCommit,
    actor: safeName(user ?? systemUser(), 'local'),
    defaultBranch,
    serverUrl: (instance || origin?.serverUrl || 'https://code.forgejo.org').replace(/\/+$/, ''),
  };
}

/** Git's settings as `--get-regexp -z` lists them; the last of a name counts, and an empty one is none. */
function readSettings(list = ''): Readonly<Record<string, string | undefined>> {
  const entries = list.split('\0').map((entry) => {
    const end = entry.indexOf('\n');
    return end < 0 ? [entry, undefined] : [entry.slice(0, end), entry.slice(end + 1).trim() || undefined];
  });
  return Object.fromEntries(entries) as Record<string, string | undefined>;
}

/** Git's answer without the space around it; undefined where it has none. */
async function askGit(directory: string, args: readonly string[], signal: AbortSignal): Promise<string | undefined> {
  // GIT_DIR and the like of the caller, a hook for example, would show us another repository.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('GIT_')));
  try {
    const { stdout } = await promisify(execFile)('git', ['-c', 'core.fsmonitor=false', '-C', directory, ...args], {
      env: { ...env, GIT_TERMINAL_PROMPT: '0', GIT_OPTIONAL_LOCKS: '0' },
      signal,
      timeout: 10_000,
      windowsHide: true,
    });
    return stdout.trim() || undefined;
  } catch {
    // No git, no repository, no such value: the caller has something in its place.
    return undefined;
  }
}

interface Remote {
  readonly owner: string;
  readonly name: string;
  /** Absent for a remote that is a folder. */
  readonly serverUrl?: string;
}

/** Owner, name and server of a remote: a URL, or `user@host:path` as ssh has it. */
export function readRemote(remote: string): Remote | undefined {
  const scp = /^(?:[^/@:]+@)?([^/:@]{2,}):(?!\/\/)(.+)$/.exec(remote);
  const url = scp === null ? (URL.parse(remote) ?? undefined) : undefined;
  const path = scp?.[2] ?? url?.pathname ?? remote;
  const [name, owner] = path
    .replace(/\/+$/, '')
    .replace(/\.git$/, '')
    .split('/')
    .toReversed();
  if (!name || !owner) return undefined;
  const names = { owner: safeName(owner, 'local'), name: safeName(name, 'repository') };
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return { ...names, serverUrl: url.origin };
  const host = scp?.[1] ?? (url?.protocol === 'ssh:' ? url.hostname : '');
  return host ? { ...names, serverUrl: `https://${host}` } : names;
}

/** The characters that names of users and repositories have on an instance. */
function safeName(text: string, fallback: string): string {
  return text.replaceAll(/[^A-Za-z0-9._-]+/g, '-').replaceAll(/^[-.]+|[-.]+$/g, '') || fallback;
}

function systemUser(): string {
  try {
    return userInfo().username;
  } catch {
    // A container may run under a number that has no name.
    return '';
  }
}
