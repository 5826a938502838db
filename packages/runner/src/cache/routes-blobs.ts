import { Hono } from 'hono';
import {
  accessOf,
  type CacheContext,
  type CacheEnv,
  type CacheRoutes,
  lengthOf,
  readText,
  refusalOf,
  refusalStatus,
} from './cache-http.ts';
import { readBlockList } from './block-list.ts';
import type { KnownJob } from './cache-access.ts';
import { CacheRefusal } from './cache-refusal.ts';
import { sendContent } from './send-content.ts';

/** Of 50,000 blocks with the longest ids. */
const listLimitBytes = 8 * 1024 * 1024;
/** A version that all clients know; they do not compare it with their own. */
const apiVersion = '2021-08-06';

/**
 * What signed addresses lead to, as far as clients of Azure's blob storage need it: `Put Blob`, `Put Block`, `Put Block
 * List`, `Get Blob` with ranges, `Get Blob Properties`.
 *
 * Source: learn.microsoft.com/rest/api/storageservices, and the requests of `@azure/storage-blob` and of Go's `azblob`.
 */
export function routesBlobs(
  { cache, signer }: CacheRoutes,
  jobById: (id: string) => KnownJob | undefined,
  headersOf: (id: string) => Readonly<Record<string, string>> = () => ({}),
): Hono<CacheEnv> {
  const routes = new Hono<CacheEnv>();
  routes.use('/:kind/:id/*', async (c, next) => {
    const kind = c.req.param('kind');
    const id = c.req.param('id');
    const job = c.req.query('job') ?? '';
    if (kind !== 'upload' && kind !== 'entry') throw new CacheRefusal('missing', 'there is nothing here');
    signer.check({ kind, id, job }, c.req.query('se') ?? '', c.req.query('sig') ?? '', Date.now());
    const known = c.get('job') ?? jobById(job);
    if (known?.access.job !== job) throw new CacheRefusal('unknown-job', 'the job of this address is over');
    c.set('job', known);
    await next();
  });
  routes.on(['GET', 'HEAD'], '/entry/:id/content', async (c) => {
    describe(c);
    c.env.outgoing.setHeader('x-ms-blob-type', 'BlockBlob');
    const id = c.req.param('id');
    return sendContent(c, await (await cache()).open(accessOf(c), id), headersOf(id));
  });
  routes.put('/upload/:id/content', async (c) => {
    const { incoming } = c.env;
    const opened = await cache();
    const upload = opened.upload(accessOf(c), Number(c.req.param('id')));
    const operation = c.req.query('comp');
    if (operation === 'block') {
      await opened.uploads.stage(upload, c.req.query('blockid') ?? '', lengthOf(incoming), incoming);
    } else if (operation === 'blocklist') {
      opened.uploads.arrange(upload, readBlockList(await readText(incoming, listLimitBytes)));
    } else if (operation === undefined) {
      await opened.uploads.put(upload, lengthOf(incoming), incoming);
    } else return c.body(errorBody('UnsupportedQueryParameter', 'this operation is not known here'), 400);
    describe(c);
    return c.body(null, 201, {
      'x-ms-version': apiVersion,
      'x-ms-request-server-encrypted': 'false',
      etag: '"0x1"',
      'last-modified': new Date().toUTCString(),
    });
  });
  routes.onError((error, c) => {
    const refusal = refusalOf(error);
    if (refusal === undefined) throw error;
    c.header('content-type', 'application/xml');
    return c.body(errorBody(refusal.kind, refusal.message), refusalStatus[refusal.kind]);
  });
  return routes;
}

function describe(c: CacheContext): void {
  c.env.outgoing.setHeader('x-ms-version', apiVersion);
  c.env.outgoing.setHeader('etag', '"0x1"');
}

/** Messages are ours and have nothing in them that XML would mind. */
function errorBody(code: string, message: string): string {
  return `<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`;
}
