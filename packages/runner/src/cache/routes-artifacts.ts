import { Hono } from 'hono';
import { type CacheEnv, readBytes } from './cache-http.ts';
import { CacheRefusal } from './cache-refusal.ts';
import { twirpError } from './twirp.ts';

/** Names and numbers only: contents go over signed addresses. */
const limitBytes = 1024 * 1024;

/**
 * The twirp service of artifacts. Clients of it and of the second API of caches look for both at one address, so this
 * server has to take calls for the instance as well; it hands them on.
 */
export function routesArtifacts(): Hono<CacheEnv> {
  const routes = new Hono<CacheEnv>();
  routes.post('/:method', async (c) => {
    const { artifacts, access } = c.get('job');
    const method = c.req.param('method');
    if (artifacts === undefined || !/^[A-Za-z]{1,64}$/.test(method))
      throw new CacheRefusal('missing', 'this job has no place for artifacts');
    const { incoming, outgoing } = c.env;
    const gone = new AbortController();
    outgoing.once('close', () => gone.abort());
    const body = await readBytes(incoming, limitBytes);
    const answer = await artifacts({ method, body, base: c.get('base'), job: access.job }, gone.signal);
    return new Response(new Uint8Array(answer.body), {
      status: answer.status,
      headers: { 'content-type': answer.contentType },
    });
  });
  routes.onError(twirpError);
  return routes;
}
