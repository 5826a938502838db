import type { CacheContext } from './cache-http.ts';
import { refusalOf } from './cache-http.ts';
import type { RefusalKind } from './cache-refusal.ts';

/** Code and number of HTTP of an error. Source: twitchtv.github.io/twirp/docs/errors.html. */
const twirpErrors = {
  'unknown-job': ['unauthenticated', 401],
  denied: ['permission_denied', 403],
  missing: ['not_found', 404],
  exists: ['already_exists', 409],
  invalid: ['invalid_argument', 400],
  'too-large': ['invalid_argument', 400],
  // Not one that clients try again five times: the disk stays full.
  full: ['failed_precondition', 412],
} as const satisfies Record<RefusalKind, readonly [string, number]>;

/** An error as clients of twirp read it. @throws what is no refusal. */
export function twirpError(error: unknown, c: CacheContext): Response {
  const refusal = refusalOf(error);
  if (refusal === undefined) throw error;
  const [code, status] = twirpErrors[refusal.kind];
  return c.json({ code, msg: refusal.message }, status);
}
