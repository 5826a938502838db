import type { IncomingMessage } from 'node:http';
import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import type { CacheAccess, KnownJob } from './cache-access.ts';
import { CacheRefusal, type RefusalKind } from './cache-refusal.ts';
import type { Cache } from './open-cache.ts';
import type { LinkSigner } from './signed-links.ts';

/** What a request came with, once it is known whose it is. */
export type CacheEnv = {
  Bindings: HttpBindings;
  Variables: {
    /** Who asks. */
    job: KnownJob;
    /** What addresses in answers begin with, without a slash at the end. */
    base: string;
  };
};

export type CacheContext = Context<CacheEnv>;

/** What all routes work with. */
export interface CacheRoutes {
  readonly cache: () => Promise<Cache>;
  readonly signer: LinkSigner;
}

/** Who asks. The routes are behind what finds that out. */
export function accessOf(c: CacheContext): CacheAccess {
  return c.get('job').access;
}

/** Numbers of HTTP for refusals. */
export const refusalStatus: Readonly<Record<RefusalKind, 400 | 401 | 403 | 404 | 409 | 413 | 507>> = {
  'unknown-job': 401,
  denied: 403,
  missing: 404,
  exists: 409,
  invalid: 400,
  'too-large': 413,
  full: 507,
};

/** Why something cannot be had, or `undefined` where it is our own fault. */
export function refusalOf(error: unknown): CacheRefusal | undefined {
  if (error instanceof CacheRefusal) return error;
  const { code } = error instanceof Error ? (error as NodeJS.ErrnoException) : {};
  if (code === 'ENOSPC' || code === 'EDQUOT') return new CacheRefusal('full', 'the disk of the cache is full');
  return undefined;
}

/** How many bytes the body of a request has. Parts are given their place by it before they come. */
export function lengthOf(request: IncomingMessage): number {
  const length = Number(request.headers['content-length'] ?? Number.NaN);
  if (!Number.isSafeInteger(length) || length < 0)
    throw new CacheRefusal('invalid', 'expected a Content-Length, found none');
  return length;
}

/** A small body as text. */
export async function readText(request: IncomingMessage, limitBytes: number): Promise<string> {
  return (await readBytes(request, limitBytes)).toString('utf8');
}

/** A small body. */
export async function readBytes(request: IncomingMessage, limitBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > limitBytes) throw new CacheRefusal('too-large', `expected at most ${limitBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** A small body as JSON object. */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  const text = await readText(request, 64 * 1024);
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch {
    throw new CacheRefusal('invalid', 'expected JSON');
  }
}
