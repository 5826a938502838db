import { Hono } from 'hono';
import * as z from 'zod';
import { readChunkRange } from './byte-range.ts';
import {
  accessOf,
  type CacheEnv,
  type CacheRoutes,
  lengthOf,
  readJson,
  refusalOf,
  refusalStatus,
} from './cache-http.ts';
import { CacheRefusal } from './cache-refusal.ts';
import { sendContent } from './send-content.ts';

const reservation = z.object({
  key: z.string(),
  version: z.string(),
  // Older clients do not know it yet.
  cacheSize: z.int().min(0).optional(),
});
const commitment = z.object({ size: z.int().min(0) });

/** More keys than any client sends. */
const mostKeys = 32;

/**
 * The first API of caches, below `_apis/artifactcache`. Every client for instances other than GitHub's own speaks it.
 *
 * Source: the requests of `@actions/cache`, and the answers that the Go runner's server gives.
 */
export function routesV1({ cache }: CacheRoutes): Hono<CacheEnv> {
  const routes = new Hono<CacheEnv>();
  routes.get('/cache', async (c) => {
    const keys = (c.req.query('keys') ?? '').split(',').filter((key) => key !== '');
    if (keys.length > mostKeys) throw new CacheRefusal('invalid', `expected at most ${mostKeys} keys`);
    const found = await (await cache()).find(accessOf(c), c.req.query('version') ?? '', keys);
    if (found === undefined) return c.body(null, 204);
    return c.json({
      result: 'hit',
      archiveLocation: `${c.get('base')}/_apis/artifactcache/artifacts/${encodeURIComponent(found.id)}`,
      cacheKey: found.key,
      creationTime: new Date(found.createdMs).toISOString(),
    });
  });
  routes.post('/caches', async (c) => {
    const { key, version, cacheSize } = read(reservation, await readJson(c.env.incoming));
    const { id } = await (await cache()).reserve(accessOf(c), version, key, cacheSize);
    return c.json({ cacheId: id });
  });
  routes.patch('/caches/:id', async (c) => {
    const { incoming } = c.env;
    const range = readChunkRange(c.req.header('content-range'));
    if (range === undefined) throw new CacheRefusal('invalid', 'expected a Content-Range such as bytes 0-1023/*');
    if (incoming.headers['content-length'] !== undefined && lengthOf(incoming) !== range.length)
      throw new CacheRefusal('invalid', 'expected a Content-Length that fits the Content-Range');
    const opened = await cache();
    await opened.uploads.write(
      opened.upload(accessOf(c), Number(c.req.param('id'))),
      range.start,
      range.length,
      incoming,
    );
    return c.body(null, 204);
  });
  routes.post('/caches/:id', async (c) => {
    const { size } = read(commitment, await readJson(c.env.incoming));
    const opened = await cache();
    await opened.commit(opened.upload(accessOf(c), Number(c.req.param('id'))), size);
    return c.body(null, 204);
  });
  routes.on(['GET', 'HEAD'], '/artifacts/:id', async (c) =>
    sendContent(c, await (await cache()).open(accessOf(c), c.req.param('id'))),
  );
  // The Go runner has it for its own use and answers that all went well.
  routes.post('/clean', (c) => c.json({}));
  routes.onError((error, c) => {
    const refusal = refusalOf(error);
    if (refusal === undefined) throw error;
    return c.json({ message: refusal.message }, refusalStatus[refusal.kind]);
  });
  return routes;
}

function read<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new CacheRefusal(
    'invalid',
    `expected another body: ${parsed.error.issues.map(({ message }) => message).join(', ')}`,
  );
}
