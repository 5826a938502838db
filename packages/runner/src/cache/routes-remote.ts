import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { pipeline } from 'node:stream/promises';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { Hono } from 'hono';
import * as z from 'zod';
import type { CacheAccess } from './cache-access.ts';
import { accessOf, type CacheContext, type CacheEnv, refusalOf, refusalStatus } from './cache-http.ts';
import { CacheRefusal } from './cache-refusal.ts';
import { sharedScope } from './cache-scope.ts';
import { claimMac } from './trusted-runner.ts';

/** A cache server that runs elsewhere: of this program, or of the Go runner. */
export interface RemoteCache {
  /** Without a slash at the end. */
  readonly url: string;
  readonly secret: string;
}

const greetingSchema = z.object({ apis: z.array(z.string()) });
const greetingMs = 5000;

/** Whether a server elsewhere says that it knows the second API. That of the Go runner says nothing, and does not. */
export async function knowsSecondApi({ url }: RemoteCache): Promise<boolean> {
  try {
    const answer = await fetch(`${url}/`, { signal: AbortSignal.timeout(greetingMs), redirect: 'error' });
    return greetingSchema.parse(await answer.json()).apis.includes('v2');
  } catch {
    return false;
  }
}

/** Headers that are of one connection, or of the job and none of the server's business. */
const keptBack = new Set(['connection', 'keep-alive', 'te', 'upgrade', 'host', 'authorization', 'cookie', 'expect']);

/**
 * Hands requests of jobs on to a cache server elsewhere, with the proof that this runner speaks for them. What a job
 * writes into such headers itself does not pass.
 */
export function routesRemote(remote: RemoteCache): Hono<CacheEnv> {
  const routes = new Hono<CacheEnv>();
  routes.all('*', async (c) => {
    const access = accessOf(c);
    const { pathname, search } = new URL(c.req.url);
    const path = pathname.replace(/^\/[^/]+(?=\/(?:_apis|_blobs)\/)/, '');
    const isWrite =
      /\/_apis\/artifactcache\/caches/.test(path) || /CreateCacheEntry|FinalizeCacheEntryUpload/.test(path);
    if (access.write === undefined && isWrite && c.req.method !== 'GET')
      throw new CacheRefusal('denied', 'cache write denied: this job may only read');
    return forward(c, `${remote.url}${path}${search}`, claimHeaders(remote, access, c.get('base')));
  });
  routes.onError((error, c) => {
    const refusal = refusalOf(error);
    if (refusal === undefined) throw error;
    return c.json(
      { message: refusal.message, code: 'permission_denied', msg: refusal.message },
      refusalStatus[refusal.kind],
    );
  });
  return routes;
}

function claimHeaders({ secret }: RemoteCache, access: CacheAccess, base: string): Record<string, string> {
  const claim = {
    repository: access.repository,
    run: access.job,
    // Constant for a job, so that its uploads stay its own.
    timestamp: String(access.sinceS ?? Math.floor(Date.now() / 1000)),
    scope: access.write ?? sharedScope,
  };
  const { origin, pathname } = new URL(base);
  return {
    'Forgejo-Cache-Repo': claim.repository,
    'Forgejo-Cache-RunNumber': claim.run,
    'Forgejo-Cache-RunId': pathname.slice(1),
    'Forgejo-Cache-Timestamp': claim.timestamp,
    'Forgejo-Cache-MAC': claimMac(secret, claim),
    'Forgejo-Cache-Host': origin,
    ...(claim.scope === sharedScope ? {} : { 'Forgejo-Cache-WriteIsolationKey': claim.scope }),
  };
}

async function forward(c: CacheContext, url: string, own: Readonly<Record<string, string>>): Promise<Response> {
  const { incoming, outgoing } = c.env;
  const headers: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (value !== undefined && !keptBack.has(name) && !name.startsWith('forgejo-cache-')) headers[name] = value;
  }
  const send = url.startsWith('https:') ? httpsRequest : httpRequest;
  const answered = Promise.withResolvers<IncomingMessage>();
  const request = send(url, { method: incoming.method ?? 'GET', headers: { ...headers, ...own } });
  request.once('response', answered.resolve).once('error', answered.reject);
  outgoing.once('close', () => request.destroy());
  try {
    // What fails on the way up is told by the answer, or by there being none.
    void pipeline(incoming, request).catch(answered.reject);
    const answer = await answered.promise;
    for (const [name, value] of Object.entries(answer.headers))
      if (value !== undefined && !keptBack.has(name) && name !== 'transfer-encoding') outgoing.setHeader(name, value);
    outgoing.statusCode = answer.statusCode ?? 502;
    await pipeline(answer, outgoing);
  } catch (error) {
    if (outgoing.headersSent) outgoing.destroy();
    else
      return c.json(
        { message: `the cache server is not reached: ${error instanceof Error ? error.message : String(error)}` },
        502,
      );
  }
  return RESPONSE_ALREADY_SENT;
}
