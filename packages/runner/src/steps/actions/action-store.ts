import { createHash, randomUUID } from 'node:crypto';
import { access, mkdir, readdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from '@forgejo-runner/core';
import type { Credentials, RemoteReference } from './action-reference.ts';
import { type Git, GitError } from './git.ts';
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
const fullSha = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;
const shortSha = /^[0-9a-f]{4,63}$/;
const allRefs: readonly string[] = ['+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*'];

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
    if (!fullSha.test(ref)) return undefined;
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
    if (fullSha.test(ref)) return this.#findCommit(ref);
    const found = await this.#lookUp(this.#remote.ref);
    if (found !== undefined) return (await this.#isPresent(found.sha)) ? found.sha : this.#clone(found.name, found.sha);
    if (shortSha.test(ref)) return this.#findShort(ref);
    throw new GitError('no-ref', `no tag or branch is called "${this.#remote.ref}"`);
  }

  async #findCommit(sha: string): Promise<string> {
    if (await this.#isPresent(sha)) {
      // Only its reader's right to it is in question: any answer that lists references will do.
      await this.#git(['ls-remote', '--quiet', '--', this.#remote.url, 'HEAD'], this.#home);
      return sha;
    }
    try {
      return await this.#clone(sha, sha);
    } catch (error) {
      if (!(error instanceof GitError) || error.failure !== 'no-ref') throw error;
      // Some servers hand out only what a reference points at.
      return this.#clone(sha, sha, allRefs);
    }
  }

  /** What a tag or branch points at now. A tag wins over a branch of the same name, as in git itself. */
  async #lookUp(ref: string): Promise<{ readonly name: string; readonly sha: string } | undefined> {
    const names = [`refs/tags/${ref}`, `refs/heads/${ref}`, ...(ref.startsWith('refs/') ? [ref] : [])];
    const patterns = names.flatMap((name) => [name, `${name}^{}`]);
    const listed = await this.#git(['ls-remote', '--quiet', '--', this.#remote.url, ...patterns], this.#home);
    const shas = new Map<string, string>();
    for (const line of listed.toString().split('\n')) {
      const [sha = '', name = ''] = line.split('\t');
      if (fullSha.test(sha)) shas.set(name, sha);
    }
    for (const name of names) {
      // `^{}` is the commit of an annotated tag.
      const sha = shas.get(`${name}^{}`) ?? shas.get(name);
      if (sha !== undefined) return { name, sha };
    }
    return undefined;
  }

  /** A server does not know shortened ids: the commits of all its references have to be looked at. */
  async #findShort(short: string): Promise<string> {
    const known = (await readdir(this.#home).catch(() => [])).filter((name) => name.startsWith(short));
    const [only] = known;
    if (known.length === 1 && only !== undefined && (await this.#isPresent(only))) return only;
    await using work = await this.#openWorkFolder(short);
    // Commits without their files, where the server can do that.
    await this.#git(['fetch', '--quiet', '--filter=tree:0', '--', this.#remote.url, ...allRefs], work.git);
    const commits = (await this.#git(['rev-list', '--all'], work.git)).toString().split('\n');
    const [sha, another] = commits.filter((commit) => commit.startsWith(short));
    if (another !== undefined) throw new GitError('no-ref', `several commits begin with "${short}"`);
    if (sha === undefined)
      throw new GitError('no-ref', `no tag or branch is called, and no commit begins with "${short}"`);
    return this.#findCommit(sha);
  }

  /** Fetches a commit and puts it into the store, whole or not at all. */
  async #clone(what: string, sha: string, refs: readonly string[] = []): Promise<string> {
    await using work = await this.#openWorkFolder(sha);
    const { url } = this.#remote;
    const depth = refs.length === 0 ? ['--depth=1'] : [];
    await this.#git(
      ['fetch', '--quiet', '--no-tags', ...depth, '--', url, ...(refs.length === 0 ? [what] : refs)],
      work.git,
    );
    const fetched = await this.#git(
      ['rev-parse', '--verify', '--quiet', refs.length === 0 ? 'FETCH_HEAD^{commit}' : `${sha}^{commit}`],
      work.git,
    ).catch((error: unknown) => {
      throw new GitError('no-ref', `no commit is called "${what}"`, error);
    });
    const commit = fetched.toString().trim();
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

  async #openWorkFolder(sha: string): Promise<{ readonly folder: string; readonly git: string } & AsyncDisposable> {
    const folder = join(this.#options.folder, 'tmp', randomUUID());
    const git = join(folder, 'git');
    await mkdir(folder, { recursive: true });
    const format = sha.length === 64 ? ['--object-format=sha256'] : [];
    await this.#git(['init', '--quiet', '--bare', '--template=', ...format], git);
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
    try {
      await this.#git(['cat-file', '-e', `${sha}^{tree}`], join(folder, 'git'));
      return true;
    } catch (error) {
      if (!(error instanceof GitError) || error.failure !== 'other') throw error;
      this.#options.log.warn('a stored action is damaged and is fetched again', { folder, error: error.message });
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
      return false;
    }
  }

  /** Runs a command, again where the network failed it. */
  async #git(args: readonly string[], repository: string): Promise<Buffer> {
    const { git, log, retryMs = 500, timeoutMs = defaultTimeoutMs } = this.#options;
    const login = this.#login === undefined ? {} : { login: { origin: this.#remote.origin, credentials: this.#login } };
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await git.run(args, { repository, timeoutMs, ...login }, this.#signal);
      } catch (error) {
        if (!(error instanceof GitError) || error.failure !== 'network' || attempt === tries) throw error;
        log.info('git is tried again', { url: this.#remote.url, attempt, error: error.message });
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
