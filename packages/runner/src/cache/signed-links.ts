import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { CacheRefusal } from './cache-refusal.ts';

/** What a signed address leads to. */
export interface LinkTarget {
  readonly kind: 'upload' | 'entry';
  readonly id: string;
  /** Of the job that it was made for; with it the address ends. */
  readonly job: string;
}

/** As long as the longest job may take to read what it was shown. */
const validMs = 24 * 3_600_000;

/** Makes addresses that may be used by whoever has them, and for one thing only. */
export class LinkSigner {
  readonly #folder: string;
  readonly #secret: Uint8Array;

  /** `folder` is what the paths of its addresses begin with. */
  constructor(folder: string, secret: Uint8Array = randomBytes(32)) {
    this.#folder = folder;
    this.#secret = secret;
  }

  /** Path and query, as Azure's clients take them: three parts at least, and `sig` for what they hide in logs. */
  sign({ kind, id, job }: LinkTarget, nowMs: number): string {
    const expires = String(nowMs + validMs);
    const signature = this.#signature({ kind, id, job }, expires).toString('base64url');
    const query = new URLSearchParams({ job, se: expires, sig: signature });
    return `/${this.#folder}/${kind}/${encodeURIComponent(id)}/content?${query.toString()}`;
  }

  /** @throws {CacheRefusal} `unknown-job` where the address was not made here, or is over. */
  check(target: LinkTarget, expires: string, signature: string, nowMs: number): void {
    const expected = this.#signature(target, expires);
    const given = Buffer.from(signature, 'base64url');
    const isSigned = given.length === expected.length && timingSafeEqual(given, expected);
    if (!isSigned || Number(expires) < nowMs)
      throw new CacheRefusal('unknown-job', 'this address is not valid, or over');
  }

  #signature({ kind, id, job }: LinkTarget, expires: string): Buffer {
    // JSON keeps the parts apart, whatever is in them.
    return createHmac('sha256', this.#secret)
      .update(JSON.stringify([kind, id, job, expires]))
      .digest();
  }
}
