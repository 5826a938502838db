import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { isBackendError } from '@forgejo-runner/core';
import { pathBelow, safeParts } from '@forgejo-runner/kit';
import { Hono } from 'hono';
import * as z from 'zod';
import type { CacheAccess, JobKeys } from '../cache/cache-access.ts';
import { type CacheEnv, readJson, refusalOf, refusalStatus } from '../cache/cache-http.ts';
import { CacheRefusal } from '../cache/cache-refusal.ts';
import type { Cache } from '../cache/open-cache.ts';
import { sendContent } from '../cache/send-content.ts';
import type { Upload } from '../cache/uploads.ts';

/** An artifact of version 3: a folder of files. */
export interface FolderArtifact {
  readonly name: string;
  readonly size: number;
}

/** The artifacts of version 3 of a local run. */
export interface ArtifactFolders {
  /** Below `ACTIONS_RUNTIME_URL`. */
  readonly routes: (keys: JobKeys) => Hono<CacheEnv>;
  readonly list: () => readonly FolderArtifact[];
  /** Writes each as a folder of its name. @returns their paths. */
  readonly save: (folder: string) => Promise<readonly string[]>;
}

/** A file as it was sent: packed where that made it smaller. Without content where it is empty. */
interface StoredFile {
  readonly content?: { readonly id: string; readonly isPacked: boolean };
  readonly length: number;
}

interface Folder {
  readonly files: Map<string, StoredFile>;
  size: number;
}

const creation = z.object({ Name: z.string() });
const completion = z.object({ Size: z.number().min(0) });
const version = 'artifact-file';
const access = (job: string): CacheAccess => ({ job, repository: 'artifacts', read: [''], write: '' });

/**
 * Opens the service of artifacts of version 3, with their files in a cache.
 *
 * Source: the requests of `@actions/artifact` 1.
 */
export function openArtifactFolders(cache: () => Promise<Cache>, checkName: (name: string) => void): ArtifactFolders {
  const folders = new Map<string, Folder>();
  const coming = new Map<string, Upload>();
  let count = 0;
  const known = (name: string): Folder => {
    const found = folders.get(name);
    if (found === undefined) throw new CacheRefusal('missing', 'there is no artifact of this name');
    return found;
  };

  /** Takes a chunk of a file; the last one makes it whole. */
  async function take(request: CacheEnv['Bindings']['incoming'], itemPath: string, job: string): Promise<void> {
    const [name, path] = splitPath(itemPath);
    const folder = known(name);
    const { start, length, total } = readRange(request.headers['content-range']);
    const fileLength = Number(request.headers['x-tfs-filelength'] ?? total);
    if (total === 0) {
      folder.files.set(path, { length: 0 });
      return;
    }
    const opened = await cache();
    const key = `${job}\0${itemPath}`;
    if (start === 0) coming.set(key, await opened.reserve(access(job), version, String((count += 1))));
    const upload = coming.get(key);
    if (upload === undefined) throw new CacheRefusal('invalid', 'expected the first chunk of the file before others');
    await opened.uploads.write(upload, start, length, request);
    if (start + length < total) return;
    coming.delete(key);
    await opened.commit(upload, total);
    const found = await opened.find(access(job), version, [upload.key]);
    if (found === undefined) throw new CacheRefusal('missing', 'the file is gone');
    const isPacked = request.headers['content-encoding'] === 'gzip';
    folder.files.set(path, { content: { id: found.id, isPacked }, length: fileLength });
  }

  return {
    routes: (keys) => {
      const routes = new Hono<CacheEnv>();
      const shown = (name: string, { size }: Folder, url: string): object => ({
        containerId: 1,
        name,
        size,
        type: 'actions_storage',
        fileContainerResourceUrl: containerUrl(url),
        url: containerUrl(url),
      });
      routes.use('*', async (c, next) => {
        const [, bearer] = /^Bearer\s+(\S+)$/i.exec(c.req.header('authorization') ?? '') ?? [];
        const job = bearer === undefined ? undefined : keys.find(bearer);
        if (job === undefined) throw new CacheRefusal('unknown-job', 'this token is not known, or its job is over');
        c.set('job', job);
        await next();
      });
      routes.post('/_apis/pipelines/workflows/:run/artifacts', async (c) => {
        const { Name: name } = read(creation, await readJson(c.env.incoming));
        checkName(name);
        // Jobs may add to what others began.
        const folder = folders.get(name) ?? { files: new Map(), size: -1 };
        folders.set(name, folder);
        return c.json(shown(name, folder, c.req.url), 201);
      });
      routes.patch('/_apis/pipelines/workflows/:run/artifacts', async (c) => {
        const name = c.req.query('artifactName') ?? '';
        const folder = known(name);
        folder.size = Math.max(0, folder.size) + read(completion, await readJson(c.env.incoming)).Size;
        return c.json(shown(name, folder, c.req.url));
      });
      routes.get('/_apis/pipelines/workflows/:run/artifacts', (c) => {
        const value = [...folders].map(([name, folder]) => shown(name, folder, c.req.url));
        return c.json({ count: value.length, value });
      });
      routes.put('/_apis/resources/Containers/1', async (c) => {
        await take(c.env.incoming, c.req.query('itemPath') ?? '', c.get('job').access.job);
        return c.json({}, 201);
      });
      routes.get('/_apis/resources/Containers/1', (c) => {
        const name = c.req.query('itemPath') ?? '';
        const value = [...known(name).files].map(([path, { length }]) => {
          const item = `${name}/${path}`;
          const contentLocation = `${containerUrl(c.req.url)}/content?itemPath=${encodeURIComponent(item)}`;
          return {
            containerId: 1,
            path: item,
            itemType: 'file',
            status: 'created',
            fileLength: length,
            contentLocation,
          };
        });
        return c.json({ count: value.length, value });
      });
      routes.get('/_apis/resources/Containers/1/content', async (c) => {
        const [name, path] = splitPath(c.req.query('itemPath') ?? '');
        const content = known(name).files.get(path)?.content;
        if (content === undefined) throw new CacheRefusal('missing', 'there is no such file');
        return sendContent(
          c,
          await (await cache()).open(access(''), content.id),
          content.isPacked ? { 'content-encoding': 'gzip' } : {},
        );
      });
      routes.onError((error, c) => {
        const refusal = refusalOf(error);
        if (refusal === undefined) throw error;
        return c.json({ message: refusal.message }, refusalStatus[refusal.kind]);
      });
      return routes;
    },
    list: () => [...folders].map(([name, { size }]) => ({ name, size: Math.max(0, size) })),
    save: async (into) => {
      const paths: string[] = [];
      for (const [name, { files }] of folders) {
        paths.push(join(into, name));
        for (const [path, file] of files) await saveFile(await cache(), file, pathBelow(join(into, name), path));
      }
      return paths;
    },
  };
}

async function saveFile(cache: Cache, { content }: StoredFile, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  if (content === undefined) return pipeline([], createWriteStream(path));
  await using opened = await cache.open(access(''), content.id);
  const range = { start: 0, end: opened.size };
  if (content.isPacked) {
    try {
      return await pipeline(await opened.read(range), createGunzip(), createWriteStream(path));
    } catch (error) {
      // A job that calls packed what is not has its file as it sent it.
      if (!String((error as NodeJS.ErrnoException).code).startsWith('Z_')) throw error;
    }
  }
  await pipeline(await opened.read(range), createWriteStream(path));
}

/** Artifact and file. Clients on Windows write paths their way. @throws {CacheRefusal} `invalid` for what leads elsewhere. */
function splitPath(itemPath: string): readonly [name: string, path: string] {
  try {
    const [name = '', ...parts] = safeParts(itemPath.replaceAll('\\', '/'));
    if (parts.length > 0) return [name, parts.join('/')];
  } catch (error) {
    if (!isBackendError(error)) throw error;
  }
  throw new CacheRefusal('invalid', 'expected the path of a file in an artifact');
}

/** As the client addressed us. All files are in one container. */
function containerUrl(url: string): string {
  return `${new URL(url).origin}/api/actions_pipeline/_apis/resources/Containers/1`;
}

function readRange(header: string | undefined): {
  readonly start: number;
  readonly length: number;
  readonly total: number;
} {
  // The range of an empty file ends before it begins.
  if (header === 'bytes 0--1/0') return { start: 0, length: 0, total: 0 };
  const [, first, last, all] = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(header ?? '') ?? [];
  const [start, end, total] = [Number(first), Number(last), Number(all)];
  if (all === undefined || end < start || end >= total)
    throw new CacheRefusal('invalid', 'expected a Content-Range such as bytes 0-1023/4096');
  return { start, length: end - start + 1, total };
}

function read<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new CacheRefusal('invalid', 'expected another body');
}
