import { createHash, randomBytes } from 'node:crypto';
import type { CacheScope } from './cache-scope.ts';

/** Whose cache a request reaches: a repository of an instance, and in it the scopes of a job. */
export interface CacheAccess extends CacheScope {
  /** Of this one job; uploads belong to it. */
  readonly job: string;
  /** With its instance before it: two instances may have a repository of the same name. */
  readonly repository: string;
  /** When the job was let in, in seconds since the epoch. */
  readonly sinceS?: number;
}

/** A job that may ask, and what it may reach. */
export interface KnownJob {
  readonly access: CacheAccess;
  /** Where its artifacts go; absent where there is no such place. */
  readonly artifacts?: ArtifactService;
}

/** Answers calls of the twirp service of artifacts for one job. */
export type ArtifactService = (call: ArtifactCall, signal: AbortSignal) => Promise<ArtifactAnswer>;

export interface ArtifactCall {
  readonly method: string;
  readonly body: Uint8Array;
  /** What the client reached us at. */
  readonly base: string;
  /** Id of the job that calls. */
  readonly job: string;
}

export interface ArtifactAnswer {
  readonly status: number;
  readonly body: Uint8Array;
  readonly contentType: string;
}

/** The way of one job into the cache server. What knows it, may what the job may, until it is disposed. */
export interface JobKey extends Disposable {
  /** In the path of addresses: 256 random bits. */
  readonly token: string;
}

/** The jobs that run now, by what they may identify themselves with. */
export class JobKeys {
  readonly #jobs = new Map<string, KnownJob>();
  readonly #byId = new Map<string, KnownJob>();
  readonly #tokens = new Map<KnownJob, string>();

  /** Lets a job in. `bearer` is its other token, that clients send in a header. */
  add(job: KnownJob, bearer?: string): JobKey {
    const token = randomBytes(32).toString('base64url');
    const digests = [token, ...(bearer === undefined || bearer === '' ? [] : [bearer])].map(digest);
    for (const one of digests) this.#jobs.set(one, job);
    this.#byId.set(job.access.job, job);
    this.#tokens.set(job, token);
    return {
      token,
      [Symbol.dispose]: () => {
        for (const one of digests) this.#jobs.delete(one);
        this.#byId.delete(job.access.job);
        this.#tokens.delete(job);
      },
    };
  }

  /** By a token. Digests are compared, so that the time of an answer tells nothing about tokens. */
  find(token: string): KnownJob | undefined {
    return this.#jobs.get(digest(token));
  }

  /** The token of a job that was let in. */
  tokenOf(job: KnownJob): string {
    return this.#tokens.get(job) ?? '';
  }

  /** By its id, which is no secret: for addresses that are signed. */
  byId(id: string): KnownJob | undefined {
    return this.#byId.get(id);
  }
}

function digest(token: string): string {
  return createHash('sha256').update(token).digest('base64');
}
