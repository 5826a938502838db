import { Hono } from 'hono';
import * as z from 'zod';
import { accessOf, type CacheContext, type CacheEnv, type CacheRoutes, readJson } from './cache-http.ts';
import { CacheRefusal } from './cache-refusal.ts';
import { twirpError } from './twirp.ts';

// JSON of Protocol Buffers: fields at their defaults are left out, numbers of 64 bits are texts, and both spellings of a
// name are allowed.
const text = z.string().default('');
const create = z.object({ key: text, version: text });
const finalize = z.object({ key: text, version: text, size_bytes: z.union([z.string(), z.number()]).default(0) });
const download = z.object({ key: text, version: text, restore_keys: z.array(z.string()).default([]) });

/**
 * The second API of caches: the twirp service `github.actions.results.api.v1.CacheService`. It hands out addresses, and
 * contents go over those.
 *
 * Source: the messages of `@actions/cache` 4 and later.
 */
export function routesV2({ cache, signer }: CacheRoutes): Hono<CacheEnv> {
  const routes = new Hono<CacheEnv>();
  const link = (c: CacheContext, kind: 'upload' | 'entry', id: string): string =>
    c.get('base') + signer.sign({ kind, id, job: accessOf(c).job }, Date.now());
  routes.post('/CreateCacheEntry', async (c) => {
    const { key, version } = await readMessage(create, c);
    const { id } = await (await cache()).reserve(accessOf(c), version, key);
    return c.json({ ok: true, signed_upload_url: link(c, 'upload', String(id)) });
  });
  routes.post('/FinalizeCacheEntryUpload', async (c) => {
    const { key, version, size_bytes: size } = await readMessage(finalize, c);
    const opened = await cache();
    const upload = opened.uploadOf(accessOf(c), version, key);
    await opened.commit(upload, Number(size));
    return c.json({ ok: true, entry_id: String(upload.id) });
  });
  routes.post('/GetCacheEntryDownloadURL', async (c) => {
    const { key, version, restore_keys: others } = await readMessage(download, c);
    const found = await (await cache()).find(accessOf(c), version, [key, ...others].slice(0, 32));
    if (found === undefined) return c.json({ ok: false });
    return c.json({ ok: true, signed_download_url: link(c, 'entry', found.id), matched_key: found.key });
  });
  routes.onError(twirpError);
  return routes;
}

async function readMessage<T>(schema: z.ZodType<T>, c: CacheContext): Promise<T> {
  const read = schema.safeParse(underscored(await readJson(c.env.incoming)));
  if (read.success) return read.data;
  throw new CacheRefusal(
    'invalid',
    `expected another message: ${read.error.issues.map(({ message }) => message).join(', ')}`,
  );
}

function underscored(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => [
      name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      field,
    ]),
  );
}
