import { createHash, randomUUID } from 'node:crypto';
import { access, mkdir, readdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from '@forgejo-runner/core';
import type { Credentials, RemoteReference } from './action-reference.ts';
import { type FoundRef, type Git, type GitRemote, isFullSha } from './git.ts';
import { GitError } from './git-error.ts';
import { lockFile } from './repository-lock.ts';
import { folderBytes, pruneStore, type PruneLimits, type PruneReport } from './store-prune.ts';
import { type StoredRepository, storedRepository } from './stored-repository.ts';

/** What a store of actions works with. */
export interface ActionStoreOptions {
  /** Folder of the store; several processes may share it. */
  readonly folder: string;
  readonly git: Git;
  readonly log: Logger;
  /** Pause before the first of three tries again, doubled for the next. Default: half a second. */
  readonly retryMs?: number;
  /** Limit of one command over the network. Default: ten minutes. */
  readonly timeoutMs?: number;
}

/** Repositories with actions that were fetched, kept for the jobs after. */
export interface ActionStore {
  /**
   * Has a commit of a repository at hand. A tag or branch is looked up each time, so that one that moved is noticed; a
   * full commit id that is present needs no network. Without `logins`, or before them, it asks as nobody.
   *
   * @throws GitError as the last try ended; the reason of `signal` when that aborts.
   */
  readonly open: (
    reference: Pick<RemoteReference, 'url' | 'origin' | 'ref'>,
    logins: readonly Credentials[],
    signal: AbortSignal,
  ) => Promise<StoredRepository>;
  /** Removes what was not used for long, and the oldest of what is too much. */
  readonly prune: (limits: PruneLimits, signal: AbortSignal) => Promise<PruneReport>;
}

const tries = 3;
const shortSha = /^[0-9a-f]{4,63}$/;

/**
 * Opens a store of actions. Each commit is a bare repository of its own, made beside the store and renamed into it when
 * it is complete: a process that is killed leaves nothing half in it, and readers need no lock.
 */
export function openActionStore(options: ActionStoreOptions): ActionStore {
  return {
    open: async (reference, logins, signal) => {
      const key = createHash('sha256').update(reference.url).digest('hex').slice(0, 32);
      using _lock = await lockFile(join(options.folder, 'locks', key), signal);
      // Awaited here: the lock goes with this block.
      return await new Fetch(options, reference, join(options.folder, 'repositories', key), signal).open(logins);
    },
    prune: (limits, signal) => pruneStore(options.folder, limits, signal),
  };
}

type Remote = Pick<RemoteReference, 'url' | 'origin' | 'ref'>;

/** One look for a commit, under the lock of its repository. */
class Fetch {
  readonly #options: ActionStoreOptions;
  readonly #remote: Remote;
  /** Folder of the repository, with one of each commit in it. */
  readonly #home: string;
  readonly #signal: AbortSignal;
  #login: Credentials | undefined;

  constructor(options: ActionStoreOptions, remote: Remote, home: string, signal: AbortSignal) {
    this.#options = options;
    this.#remote = remote;
    this.#home = home;
    this.#signal = signal;
  }

  async open(logins: readonly Credentials[]): Promise<StoredRepository> {
    const isPrivate = await exists(join(this.#home, 'private'));
    // A commit of a private repository is for those only who may read it now.
    const present = isPrivate ? undefined : await this.#presentBySha();
    const sha = present ?? (await this.#withLogins(isPrivate && logins.length > 0 ? logins : [undefined, ...logins]));
    const folder = join(this.#home, sha);
    const now = new Date();
    await utimes(join(folder, 'used'), now, now);
    const { git, timeoutMs = defaultTimeoutMs } = this.#options;
    return storedRepository({ git, folder, sha, url: this.#remote.url, timeoutMs });
  }

  /** A full commit id never means anything else. */
  async #presentBySha(): Promise<string | undefined> {
    const ref = this.#remote.ref.toLowerCase();
    if (!isFullSha(ref)) return undefined;
    return (await this.#isPresent(ref)) ? ref : undefined;
  }

  async #withLogins(logins: readonly (Credentials | undefined)[]): Promise<string> {
    let failure: unknown;
    for (const login of logins) {
      this.#login = login;
      try {
        return await this.#find();
      } catch (error) {
        if (!(error instanceof GitError) || !['auth', 'no-repository'].includes(error.failure)) throw error;
        // What nobody may see is often said not to exist; the login's own answer counts more.
        failure = error;
      }
    }
    throw failure;
  }

  async #find(): Promise<string> {
    const ref = this.#remote.ref.toLowerCase();
    if (isFullSha(ref)) return this.#findCommit(ref);
    const found = await this.#lookUp(this.#remote.ref);
    if (found !== undefined) return (await this.#isPresent(found.sha)) ? found.sha : this.#clone(found);
    if (shortSha.test(ref)) return this.#findShort(ref);
    throw new GitError('no-ref', `no tag or branch is called "${this.#remote.ref}"`);
  }

  async #findCommit(sha: string): Promise<string> {
    if (!(await this.#isPresent(sha))) return this.#clone({ name: sha, sha });
    // Only its reader's right to it is in question: any answer about references will do.
    await this.#retry((git, remote) => git.findRef(['HEAD'], remote, this.#signal));
    return sha;
  }

  /** What a tag or branch points at now. A tag wins over a branch of the same name, as in git itself. */
  async #lookUp(ref: string): Promise<FoundRef | undefined> {
    const names = [`refs/tags/${ref}`, `refs/heads/${ref}`, ...(ref.startsWith('refs/') ? [ref] : [])];
    return this.#retry((git, remote) => git.findRef(names, remote, this.#signal));
  }

  /** A server does not know shortened ids: the commits of all its references have to be looked at. */
  async #findShort(short: string): Promise<string> {
    const known = (await readdir(this.#home).catch(() => [])).filter((name) => name.startsWith(short));
    const [only] = known;
    if (known.length === 1 && only !== undefined && (await this.#isPresent(only))) return only;
    await using work = await this.#openWorkFolder();
    const commits = await this.#retry((git, remote) =>
      git.findCommits(short, { ...remote, repository: work.git }, this.#signal),
    );
    const [sha, another] = commits;
    if (another !== undefined) throw new GitError('no-ref', `several commits begin with "${short}"`);
    if (sha === undefined)
      throw new GitError('no-ref', `no tag or branch is called, and no commit begins with "${short}"`);
    return this.#findCommit(sha);
  }

  /** Fetches a commit and puts it into the store, whole or not at all. */
  async #clone(what: FoundRef): Promise<string> {
    await using work = await this.#openWorkFolder();
    const { url } = this.#remote;
    const commit = await this.#retry((git, remote) =>
      git.fetch(what, { ...remote, repository: work.git }, this.#signal),
    );
    // Files are taken as they are in the commit, not as `git archive` would make them for a release.
    await mkdir(join(work.git, 'info'), { recursive: true });
    await writeFile(join(work.git, 'info', 'attributes'), '* -export-ignore -export-subst\n');
    await writeFile(join(work.folder, 'used'), String(await folderBytes(work.git)));
    await mkdir(this.#home, { recursive: true });
    await writeFile(join(this.#home, 'url'), `${url}\n`);
    if (this.#login !== undefined) await writeFile(join(this.#home, 'private'), '');
    if (!(await this.#isPresent(commit))) await rename(work.folder, join(this.#home, commit));
    return commit;
  }

  async #openWorkFolder(): Promise<{ readonly folder: string; readonly git: string } & AsyncDisposable> {
    const folder = join(this.#options.folder, 'tmp', randomUUID());
    const git = join(folder, 'git');
    await mkdir(folder, { recursive: true });
    return {
      folder,
      git,
      [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true, maxRetries: 3 }),
    };
  }

  /** Whether a commit is in the store and can be read; one that cannot is taken out. */
  async #isPresent(sha: string): Promise<boolean> {
    const folder = join(this.#home, sha);
    if (!(await exists(folder))) return false;
    const { git, log, timeoutMs = defaultTimeoutMs } = this.#options;
    const damage = await git.findDamage({ repository: join(folder, 'git'), sha, timeoutMs }, this.#signal);
    if (damage === undefined) return true;
    log.warn('a stored action is damaged and is fetched again', { folder, error: damage });
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    return false;
  }

  /** Asks the server, again where the network failed. */
  async #retry<T>(ask: (git: Git, remote: GitRemote) => Promise<T>): Promise<T> {
    const { git, log, retryMs = 500, timeoutMs = defaultTimeoutMs } = this.#options;
    const { url, origin } = this.#remote;
    const login = this.#login === undefined ? {} : { login: { origin, credentials: this.#login } };
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await ask(git, { url, timeoutMs, ...login });
      } catch (error) {
        if (!(error instanceof GitError) || error.failure !== 'network' || attempt === tries) throw error;
        log.info('git is tried again', { url, attempt, error: error.message });
        await pause(retryMs * 2 ** (attempt - 1), undefined, { signal: this.#signal });
      }
    }
  }
}

const defaultTimeoutMs = 10 * 60_000;

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
