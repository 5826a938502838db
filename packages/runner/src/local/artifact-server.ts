import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Hono } from 'hono';
import * as z from 'zod';
import type { ArtifactAnswer, ArtifactService, CacheAccess, JobKeys } from '../cache/cache-access.ts';
import type { CacheEnv } from '../cache/cache-http.ts';
import { CacheRefusal } from '../cache/cache-refusal.ts';
import type { FoundEntry } from '../cache/cache-store.ts';
import type { Cache } from '../cache/open-cache.ts';
import { routesBlobs } from '../cache/routes-blobs.ts';
import { LinkSigner } from '../cache/signed-links.ts';
import { openArtifactFolders } from './artifact-folders.ts';

/** An artifact of a local run: a zip archive, a single file where the client said so, or a folder of version 3. */
export interface LocalArtifact {
  readonly name: string;
  readonly size: number;
}

/** Stands in for the instance where jobs of a local run upload artifacts. They end with the run. */
export interface ArtifactServer {
  readonly service: ArtifactService;
  /** Where contents come and go. */
  readonly mount: (app: Hono<CacheEnv>, keys: JobKeys) => void;
  readonly list: () => readonly LocalArtifact[];
  /** Writes all artifacts into a folder, archives as `<name>.zip`, those of version 3 as folders. @returns their paths. */
  readonly save: (folder: string) => Promise<readonly string[]>;
}

const message = z.object({
  workflow_run_backend_id: z.string().default(''),
  workflow_job_run_backend_id: z.string().default(''),
  name: z.string().default(''),
  size: z.union([z.string(), z.number()]).default(0),
  mime_type: z.string().nullish(),
  // Wrapped texts and numbers: absent, or the bare value.
  name_filter: z.string().nullish(),
  id_filter: z.union([z.string(), z.number()]).nullish(),
});
type Message = z.output<typeof message>;

const zipType = 'application/zip';
/** A link is of a job; contents are of the run. */
const version = 'artifact';

/**
 * Opens the service of artifacts, with their contents in a cache of their own.
 *
 * Source: the messages of `@actions/artifact` 2 and later.
 */
export function openArtifactServer(cache: () => Promise<Cache>): ArtifactServer {
  const signer = new LinkSigner('_artifacts');
  const folders = openArtifactFolders(cache, checkName);
  const artifacts = new Map<
    string,
    LocalArtifact & { readonly id: number; readonly content: FoundEntry; readonly run: Message; readonly atMs: number }
  >();
  /** Of contents, by name: clients ask for it when they begin, and unpack by it in the end. */
  const types = new Map<string, string>();
  const typeOf = (name: string): string => types.get(name) ?? zipType;
  let lastId = 0;

  const methods: Readonly<
    Record<
      string,
      (call: Message, link: (kind: 'upload' | 'entry', id: string) => string, access: CacheAccess) => Promise<object>
    >
  > = {
    CreateArtifact: async ({ name, mime_type: type }, link, access) => {
      checkName(name);
      types.set(name, type ?? zipType);
      if (artifacts.has(name)) throw new CacheRefusal('exists', `there is an artifact called ${name} already`);
      const { id } = await (await cache()).reserve(access, version, encodeURIComponent(name));
      return { ok: true, signed_upload_url: link('upload', String(id)) };
    },
    FinalizeArtifact: async (call, _link, access) => {
      const { name, size } = call;
      const opened = await cache();
      await opened.commit(opened.uploadOf(access, version, encodeURIComponent(name)), Number(size));
      const content = await opened.find(access, version, [encodeURIComponent(name)]);
      if (content === undefined) throw new CacheRefusal('missing', 'the artifact is gone');
      lastId += 1;
      artifacts.set(name, { id: lastId, name, size: Number(size), content, run: call, atMs: Date.now() });
      return { ok: true, artifact_id: String(lastId) };
    },
    ListArtifacts: async ({ name_filter: name, id_filter: id }) => {
      const fits = [...artifacts.values()].filter(
        (one) => (name ?? one.name) === one.name && Number(id ?? one.id) === one.id,
      );
      return {
        artifacts: fits.map((one) => ({
          workflow_run_backend_id: one.run.workflow_run_backend_id,
          workflow_job_run_backend_id: one.run.workflow_job_run_backend_id,
          database_id: String(one.id),
          name: one.name,
          size: String(one.size),
          created_at: new Date(one.atMs).toISOString(),
        })),
      };
    },
    GetSignedArtifactURL: async ({ name }, link) => ({ signed_url: link('entry', known(artifacts, name).content.id) }),
    DeleteArtifact: async ({ name }) => {
      const { id, content } = known(artifacts, name);
      artifacts.delete(name);
      await (await cache()).store.remove(content.id);
      return { ok: true, artifact_id: String(id) };
    },
  };

  return {
    service: async ({ method, body, base, job }) => {
      const answer = Object.hasOwn(methods, method) ? methods[method] : undefined;
      if (answer === undefined) throw new CacheRefusal('missing', `there is no method ${method}`);
      const link = (kind: 'upload' | 'entry', id: string): string => base + signer.sign({ kind, id, job }, Date.now());
      return asJson(await answer(readMessage(body), link, accessOf(job)));
    },
    mount: (app, keys) => {
      const headersOf = (id: string): Readonly<Record<string, string>> => {
        const name = [...artifacts.values()].find(({ content }) => content.id === id)?.name ?? '';
        const isZip = typeOf(name) === zipType;
        const file = encodeURIComponent(isZip ? `${name}.zip` : name);
        return {
          'content-type': isZip ? zipType : 'application/octet-stream',
          'content-disposition': `attachment; filename="${file}"; filename*=UTF-8''${file}`,
        };
      };
      const jobById = (id: string) => (keys.byId(id) === undefined ? undefined : { access: accessOf(id) });
      app.route('/api/actions_pipeline', folders.routes(keys));
      app.route('/_artifacts', routesBlobs({ cache, signer }, jobById, headersOf));
    },
    list: () => [...artifacts.values(), ...folders.list()].map(({ name, size }) => ({ name, size })),
    save: async (folder) => {
      const paths: string[] = [];
      if (artifacts.size > 0) await mkdir(folder, { recursive: true });
      for (const { name, content } of artifacts.values()) {
        const path = join(folder, typeOf(name) === zipType ? `${name}.zip` : name);
        await using opened = await (await cache()).open(accessOf('save'), content.id);
        await pipeline(await opened.read({ start: 0, end: opened.size }), createWriteStream(path));
        paths.push(path);
      }
      return [...paths, ...(await folders.save(folder))];
    },
  };
}

function known<T>(artifacts: ReadonlyMap<string, T>, name: string): T {
  const found = artifacts.get(name);
  if (found === undefined) throw new CacheRefusal('missing', 'there is no artifact of this name');
  return found;
}

/** All jobs of the run see all artifacts; only uploads are of one job. */
function accessOf(job: string): CacheAccess {
  return { job, repository: 'artifacts', read: [''], write: '' };
}

/** The rules of the client. Names become names of files in the end. */
function checkName(name: string): void {
  const isUsable = /^[^\\/:*?"<>|\r\n\0]{1,200}$/.test(name) && !/^\.+$/.test(name) && name.isWellFormed();
  if (!isUsable)
    throw new CacheRefusal(
      'invalid',
      'expected the name of an artifact, without signs that names of files may not have',
    );
}

function readMessage(body: Uint8Array): Message {
  try {
    return message.parse(JSON.parse(Buffer.from(body).toString('utf8')));
  } catch {
    throw new CacheRefusal('invalid', 'expected a message in JSON');
  }
}

function asJson(value: object): ArtifactAnswer {
  return { status: 200, body: Buffer.from(JSON.stringify(value)), contentType: 'application/json' };
}
