import { randomUUID } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { HeadObjectCommandOutput, S3Client } from '@aws-sdk/client-s3';
import type { Logger } from '@forgejo-runner/core';
import { UserError } from '../user-error.ts';
import { foldKey } from './cache-index.ts';
import type { CacheEntry, CacheQuery, CacheStore, EntryContent, FoundEntry } from './cache-store.ts';
import { excessOf } from './s3-eviction.ts';
import { createdOf, folderName, keyName, scopeName } from './s3-names.ts';
import { readSegments } from './segments.ts';
import type { FinishedUpload } from './uploads.ts';

/** A bucket that runners share. */
export interface S3Settings {
  /** Absent: that of Amazon for the region. */
  readonly endpoint?: string;
  readonly region: string;
  readonly bucket: string;
  /** Before all names, without slashes around it; empty for none. */
  readonly prefix: string;
  /** Absent: what the client library finds in the environment, files or the machine's role. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

const dayMs = 24 * 3_600_000;
/** Every runner of a fleet looks, and each look lists the whole bucket. */
const evictEveryMs = 600_000;
const partBytes = 16 * 1024 * 1024;

/**
 * Keeps entries in a bucket of an S3-compatible storage, which is all that runners share: there is no other index. When
 * an entry was used is its date of change, moved at most once a day.
 *
 * @throws {UserError} `FRR801` where the bucket cannot be reached.
 */
export async function openS3Store(settings: S3Settings, log: Logger): Promise<CacheStore> {
  // Large, and most runners have no bucket.
  const sdk = await import('@aws-sdk/client-s3');
  const { Upload } = await import('@aws-sdk/lib-storage');
  const { bucket: Bucket, prefix, endpoint, region, credentials } = settings;
  const client = new sdk.S3Client({
    region,
    ...(credentials === undefined ? {} : { credentials }),
    // Names of buckets as parts of host names are Amazon's; others have them in the path.
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    // Many that are compatible do not know the newer checksums; TLS and the length of an object stand for them.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  await checkBucket(() => client.send(new sdk.HeadBucketCommand({ Bucket })), client, settings);
  const root = prefix === '' ? '' : `${prefix}/`;
  let evictedAt = 0;

  async function* list(under: string): AsyncGenerator<ListedObject> {
    let from: string | undefined;
    do {
      const page = await client.send(
        new sdk.ListObjectsV2Command({
          Bucket,
          Prefix: root + under,
          ...(from === undefined ? {} : { ContinuationToken: from }),
        }),
      );
      for (const { Key = '', Size = 0, LastModified } of page.Contents ?? [])
        yield { name: Key.slice(root.length), size: Size, usedMs: LastModified?.getTime() ?? 0 };
      from = page.NextContinuationToken;
    } while (from !== undefined);
  }

  const head = async (name: string): Promise<HeadObjectCommandOutput | undefined> => {
    try {
      return await client.send(new sdk.HeadObjectCommand({ Bucket, Key: root + name }));
    } catch (error) {
      if (error instanceof Error && ['NotFound', 'NoSuchKey'].includes(error.name)) return undefined;
      throw error;
    }
  };

  const remove = async (name: string): Promise<void> => {
    await client.send(new sdk.DeleteObjectCommand({ Bucket, Key: root + name }));
  };

  /** The newest below a prefix whose whole key fits. */
  const newest = async (
    under: string,
    fits: (key: string) => boolean,
    mayDiffer: boolean,
  ): Promise<Found | undefined> => {
    const objects: ListedObject[] = [];
    for await (const object of list(under)) objects.push(object);
    objects.sort((a, b) => createdOf(b.name) - createdOf(a.name));
    for (const object of objects) {
      const found = await head(object.name);
      const key = keyOf(found);
      if (key !== undefined && fits(foldKey(key))) return { ...object, key };
      // Only where names were cut they may stand for another key.
      if (!mayDiffer && found !== undefined) return undefined;
    }
    return undefined;
  };

  const find = async ({ repository, scopes, version, keys }: CacheQuery): Promise<Found | undefined> => {
    for (const scope of scopes) {
      const folder = folderName({ repository, scope, version });
      for (const wanted of keys) {
        const { name, isCut } = keyName(wanted);
        const folded = foldKey(wanted);
        const found =
          (await newest(`${folder}${name}/`, (key) => key === folded, isCut)) ??
          (await newest(`${folder}${name}`, (key) => key.startsWith(folded), isCut));
        if (found !== undefined) return found;
      }
    }
    return undefined;
  };

  /** Its date of change is the date of its last use. */
  const touch = async ({ name, usedMs, key }: Found): Promise<void> => {
    if (usedMs > Date.now() - dayMs) return;
    const CopySource = encodeURI(`${Bucket}/${root}${name}`);
    const Metadata = { key: writtenKey(key) };
    await client.send(
      new sdk.CopyObjectCommand({ Bucket, Key: root + name, CopySource, MetadataDirective: 'REPLACE', Metadata }),
    );
  };

  return {
    find: async (query) => {
      const found = await find(query);
      if (found === undefined) return undefined;
      // Larger ones than 5 GiB cannot be copied; they are kept as long as their age allows.
      await touch(found).catch((error: unknown) =>
        log.debug('the use of an entry was not noted', { error: String(error) }),
      );
      return shown(found);
    },
    has: async (place) => {
      const { name, isCut } = keyName(place.key);
      const folded = foldKey(place.key);
      return (await newest(`${folderName(place)}${name}/`, (key) => key === folded, isCut)) !== undefined;
    },
    add: async ({ upload, path, size, segments }: FinishedUpload) => {
      const Key = `${root}${folderName(upload)}${keyName(upload.key).name}/${Date.now()}-${randomUUID()}`;
      await using file = await open(path);
      const Body = size === 0 ? Buffer.alloc(0) : readSegments(file, segments);
      const Metadata = { key: writtenKey(upload.key) };
      await new Upload({
        client,
        partSize: partBytes,
        queueSize: 2,
        params: { Bucket, Key, Body, Metadata, ContentType: 'application/octet-stream' },
      }).done();
      await rm(path, { force: true });
    },
    open: async (id, { repository, scopes }): Promise<EntryContent | undefined> => {
      const name = nameOf(id);
      if (!scopes.some((scope) => name.startsWith(scopeName(repository, scope)))) return undefined;
      const found = await head(name);
      if (found === undefined) return undefined;
      const size = found.ContentLength ?? 0;
      return {
        size,
        createdMs: createdOf(name),
        read: async ({ start, end }) => {
          const Range = `bytes=${start}-${end - 1}`;
          const { Body } = await client.send(new sdk.GetObjectCommand({ Bucket, Key: root + name, Range }));
          if (Body instanceof Readable) return Body;
          throw new Error('expected the content of an object, found none');
        },
        [Symbol.asyncDispose]: async () => {},
      };
    },
    list: async function* () {
      for await (const object of list('')) {
        const key = keyOf(await head(object.name));
        if (key !== undefined) yield listed({ ...object, key });
      }
    },
    remove: async (id) => remove(nameOf(id)),
    evict: async (limits, signal) => {
      if (Date.now() - evictedAt < evictEveryMs) return { entries: 0, bytes: 0 };
      evictedAt = Date.now();
      const objects: ListedObject[] = [];
      for await (const object of list('')) {
        objects.push(object);
        if (signal.aborted) break;
      }
      let bytes = 0;
      const excess = signal.aborted ? [] : excessOf(objects, limits, Date.now());
      for (const { name, size } of excess) {
        if (signal.aborted) break;
        await remove(name);
        bytes += size;
      }
      return { entries: excess.length, bytes };
    },
    [Symbol.asyncDispose]: async () => client.destroy(),
  };
}

/** An object as a listing has it. */
export interface ListedObject {
  readonly name: string;
  readonly size: number;
  readonly usedMs: number;
}

interface Found extends ListedObject {
  readonly key: string;
}

async function checkBucket(
  look: () => Promise<unknown>,
  client: S3Client,
  { bucket, endpoint, region }: S3Settings,
): Promise<void> {
  try {
    await look();
  } catch (error) {
    client.destroy();
    const where = endpoint ?? `Amazon's region ${region}`;
    throw new UserError('FRR801', {
      problems: [{ message: `expected the bucket ${bucket} at ${where}, found ${reasonOf(error)}` }],
      next: 'check cache.s3 in the configuration, and that the bucket exists and its credentials may use it',
      cause: error,
    });
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message === '' || error.message === 'UnknownError' ? error.name : `${error.name}: ${error.message}`;
}

function keyOf(found: HeadObjectCommandOutput | undefined): string | undefined {
  const written = found?.Metadata?.['key'];
  return written === undefined ? undefined : Buffer.from(written, 'base64url').toString('utf8');
}

/** Metadata are headers, of 2 KiB at most. */
function writtenKey(key: string): string {
  return Buffer.from(key).toString('base64url');
}

function shown({ name, size, key }: Found): FoundEntry {
  return { id: Buffer.from(name).toString('base64url'), key, size, createdMs: createdOf(name) };
}

/** Who looks from outside sees digests: the names themselves are nowhere. */
function listed(found: Found): CacheEntry {
  const [repository = '', scope = '', version = ''] = found.name.split('/');
  return { ...shown(found), repository, scope, version, usedMs: found.usedMs };
}

function nameOf(id: string): string {
  return Buffer.from(id, 'base64url').toString('utf8');
}
