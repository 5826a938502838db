import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import type { CacheAccess } from './cache-access.ts';
import type { CacheEnv } from './cache-http.ts';
import { sharedScope } from './cache-scope.ts';

/** What a runner says of one of its jobs, and proves with the secret that it shares with a cache server. */
export interface RunnerClaim {
  readonly repository: string;
  readonly run: string;
  /** Seconds since the epoch when the runner made the claim. */
  readonly timestamp: string;
  /** Scope that the job writes to; the shared one where it is empty. */
  readonly scope: string;
}

/** No job takes longer; a claim that somebody copied is worth nothing then. */
const validSeconds = 24 * 3600;

/** The proof of a claim, as runners and servers of the Go implementation make it: hex of HMAC-SHA256. */
export function claimMac(secret: string, { repository, run, timestamp, scope }: RunnerClaim): string {
  return createHmac('sha256', secret).update([repository, run, timestamp, scope].join('>')).digest('hex');
}

/**
 * Lets in requests that a runner hands on for its jobs, with the headers of the Go runner's proxy. Others pass it
 * unchanged, and are refused where nothing else lets them in.
 */
export function trustedRunner(secret: string): MiddlewareHandler<CacheEnv> {
  return async (c, next) => {
    const header = (name: string): string => c.req.header(`Forgejo-Cache-${name}`) ?? '';
    const mac = header('MAC');
    if (mac === '') return next();
    const claim = {
      repository: header('Repo'),
      run: header('RunNumber'),
      timestamp: header('Timestamp'),
      scope: header('WriteIsolationKey'),
    };
    const age = Date.now() / 1000 - Number(claim.timestamp);
    const isTimely = age > -60 && age < validSeconds;
    if (!isTimely || claim.repository === '' || !isSame(mac, claimMac(secret, claim)))
      return c.json({ message: 'this runner has not the secret of this cache, or its clock is wrong' }, 403);
    c.set('job', { access: accessOf(claim) });
    // Where the runner's own proxy is reached: jobs cannot reach this server, or need not.
    const [host, run] = [header('Host'), header('RunId')];
    c.set(
      'base',
      URL.canParse(host) ? `${host.replace(/\/+$/, '')}/${encodeURIComponent(run)}` : new URL(c.req.url).origin,
    );
    return next();
  };
}

function accessOf(claim: RunnerClaim): CacheAccess {
  const { repository, scope } = claim;
  return {
    job: createHash('sha256').update(JSON.stringify(claim)).digest('base64url'),
    repository,
    write: scope,
    read: scope === sharedScope ? [sharedScope] : [scope, sharedScope],
  };
}

function isSame(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}
