import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { getRequestListener } from '@hono/node-server';
import { Hono, type MiddlewareHandler } from 'hono';
import type { Logger } from '@forgejo-runner/core';
import { JobKeys } from './cache-access.ts';
import type { CacheContext, CacheEnv, CacheRoutes } from './cache-http.ts';
import { CacheRefusal } from './cache-refusal.ts';
import { Listeners } from './listeners.ts';
import type { Cache } from './open-cache.ts';
import { routesArtifacts } from './routes-artifacts.ts';
import { routesBlobs } from './routes-blobs.ts';
import { knowsSecondApi, type RemoteCache, routesRemote } from './routes-remote.ts';
import { routesV1 } from './routes-v1.ts';
import { routesV2 } from './routes-v2.ts';
import { LinkSigner } from './signed-links.ts';
import { trustedRunner } from './trusted-runner.ts';

/** What a cache server is made of. */
export interface CacheServerOptions {
  /** Called with the first request that needs it. */
  readonly cache: () => Promise<Cache>;
  readonly log: Logger;
  /** With it the server speaks TLS. PEM. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** 0 takes a free one. */
  readonly port: number;
  /** Shared with runners that speak for their jobs. Without it only jobs that were let in are answered. */
  readonly secret?: string;
  /** Where entries are instead of here: requests of jobs are handed on. */
  readonly remote?: RemoteCache;
  /** Further routes of the process that has the server, before all others. */
  readonly mount?: (app: Hono<CacheEnv>, keys: JobKeys) => void;
}

/** A cache server. Disposing it ends its connections. */
export interface CacheServer extends AsyncDisposable {
  readonly keys: JobKeys;
  readonly listeners: Listeners;
  readonly scheme: 'http' | 'https';
  /** Whether a request needed the cache so far. */
  readonly wasUsed: () => boolean;
  /** Whether it answers the second API: a server elsewhere may not. */
  readonly hasSecondApi: () => Promise<boolean>;
}

/** An answer to `GET /`, by which a runner knows that it reached a cache server, and which one. */
export const greeting = { server: 'forgejo-runner cache', apis: ['v1', 'v2'] } as const;

/** Makes a cache server. It listens where somebody asks for it, see {@link Listeners}. */
export function openCacheServer(options: CacheServerOptions): CacheServer {
  const keys = new JobKeys();
  let isUsed = false;
  const cache = (): Promise<Cache> => {
    isUsed = true;
    return options.cache();
  };
  const app = makeApp(keys, { ...options, cache });
  // Its own classes in place of Node's would be seen by the whole process.
  const answer = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  const listeners = new Listeners(
    () => makeServer(options, (request, response) => void answer(request, response)),
    options.port,
  );
  return {
    keys,
    listeners,
    wasUsed: () => isUsed,
    hasSecondApi: async () => options.remote === undefined || (await knowsSecondApi(options.remote)),
    scheme: options.tls === undefined ? 'http' : 'https',
    [Symbol.asyncDispose]: () => listeners[Symbol.asyncDispose](),
  };
}

function makeApp(keys: JobKeys, { cache, log, secret, mount, remote }: CacheServerOptions): Hono<CacheEnv> {
  const app = new Hono<CacheEnv>();
  const routes: CacheRoutes = {
    cache,
    signer: new LinkSigner('_blobs', secret === undefined ? undefined : Buffer.from(secret)),
  };
  mount?.(app, keys);
  app.get('/', (c) => c.json(greeting));
  // Runners that speak for their jobs come first: their requests have the same paths.
  if (secret !== undefined) app.use('*', trustedRunner(secret));
  const byToken: MiddlewareHandler<CacheEnv> = async (c, next) => {
    if (c.get('job') === undefined) {
      const token = c.req.param('token') ?? '';
      const job = keys.find(token);
      if (job === undefined) throw new CacheRefusal('unknown-job', 'this address is not known, or its job is over');
      c.set('job', job);
      c.set('base', `${originOf(c)}/${token}`);
    }
    await next();
  };
  app.use('/:token/_apis/*', byToken);
  app.use('/:token/_blobs/*', byToken);
  app.use('/twirp/*', async (c, next) => {
    if (c.get('job') === undefined) {
      const [, bearer] = /^Bearer\s+(\S+)$/i.exec(c.req.header('authorization') ?? '') ?? [];
      const job = bearer === undefined ? undefined : keys.find(bearer);
      if (job === undefined)
        return c.json({ code: 'unauthenticated', msg: 'this token is not known, or its job is over' }, 401);
      c.set('job', job);
      // Addresses lead back here, to be handed on as well; they need the job in their path.
      c.set('base', remote === undefined ? originOf(c) : `${originOf(c)}/${keys.tokenOf(job)}`);
    }
    return next();
  });
  if (remote !== undefined) {
    const handOn = routesRemote(remote);
    for (const path of [
      '/:token/_apis/artifactcache',
      '/:token/_blobs',
      '/twirp/github.actions.results.api.v1.CacheService',
    ])
      app.route(path, handOn);
  }
  const v1 = routesV1(routes);
  app.route('/_apis/artifactcache', behindJob(v1));
  app.route('/:token/_apis/artifactcache', v1);
  app.route('/twirp/github.actions.results.api.v1.CacheService', routesV2(routes));
  app.route('/twirp/github.actions.results.api.v1.ArtifactService', routesArtifacts());
  app.route(
    '/_blobs',
    routesBlobs(routes, (id) => keys.byId(id)),
  );
  app.notFound((c) => c.json({ message: 'there is nothing here' }, 404));
  app.onError((error, c) => {
    if (error instanceof CacheRefusal) return c.json({ message: error.message }, error.kind === 'missing' ? 404 : 401);
    // A client that went away in the middle is no failure of ours.
    const isGone = c.env.incoming.destroyed && !c.env.incoming.complete;
    if (isGone) log.debug('a client of the cache went away', { method: c.req.method });
    else log.error('a request to the cache failed', { method: c.req.method, error: String(error) });
    return c.json({ message: 'the cache failed; its log has the reason' }, 500);
  });
  return app;
}

/** Routes without a token in their path are for runners only. */
function behindJob(routes: Hono<CacheEnv>): Hono<CacheEnv> {
  const guarded = new Hono<CacheEnv>();
  guarded.use('*', async (c, next) => {
    if (c.get('job') === undefined) throw new CacheRefusal('unknown-job', 'expected the token of a job');
    await next();
  });
  guarded.route('/', routes);
  return guarded;
}

/** As the client addresses us: what it could reach once, it reaches again. */
function originOf(c: CacheContext): string {
  return new URL(c.req.url).origin;
}

function makeServer({ tls }: CacheServerOptions, listener: RequestListener): Server {
  // A chunk of a slow client may take longer than the five minutes that Node allows for a request; silence may not.
  const limits = { requestTimeout: 0, headersTimeout: 60_000, keepAliveTimeout: 30_000 };
  const server =
    tls === undefined ? createHttpServer(limits, listener) : createHttpsServer({ ...limits, ...tls }, listener);
  server.setTimeout(120_000);
  return server;
}
