import { createHmac, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openCache } from '../cache/open-cache.ts';
import { hasStepContainers, openJobServices } from '../cache/open-job-services.ts';
import { type CacheSurroundings, openRunnerCache } from '../cache/open-runner-cache.ts';
import type { OpenJobServices } from '../environment/job-services.ts';
import { findProperty, toText, type ValueMap } from '../expressions/values.ts';
import { type ArtifactServer, openArtifactServer } from './artifact-server.ts';

/** What jobs of a local run reach: the cache of this user, and a place for artifacts that ends with the run. */
export interface LocalServices extends AsyncDisposable {
  readonly open: OpenJobServices;
  readonly artifacts: ArtifactServer;
}

/** What local services are made of. */
export interface LocalServicesOptions extends CacheSurroundings {
  /** Address of the instance that jobs are told about; it is not asked for anything. */
  readonly serverUrl: string;
}

/** Opens the services. Nothing is on the disk before a job uses them. */
export async function openLocalServices(options: LocalServicesOptions): Promise<LocalServices> {
  const { config, serverUrl, log } = options;
  const temporary = once(() => mkdtemp(join(tmpdir(), 'forgejo-runner-artifacts-')));
  const contents = once(async () => openCache({ folder: await temporary.get(), limits: config.limits, log }));
  const artifacts = openArtifactServer(contents.get);
  const cache = await openRunnerCache(options, { mount: artifacts.mount });
  const signing = randomBytes(32);
  const open: OpenJobServices = (planned, place, signal) =>
    openJobServices(
      cache.forJobs,
      {
        github: planned.task.github,
        hasCache: config.enabled,
        hasStepContainers: hasStepContainers(planned),
        hints: [],
        instance: {
          url: serverUrl,
          isHere: true,
          runtimeToken: runtimeToken(planned.task.github, signing),
          artifacts: artifacts.service,
        },
      },
      place,
      signal,
    );
  return {
    open,
    artifacts,
    [Symbol.asyncDispose]: async () => {
      await cache[Symbol.asyncDispose]();
      await contents.made()?.then(
        (one) => one[Symbol.asyncDispose](),
        () => undefined,
      );
      const made = await temporary.made()?.catch(() => undefined);
      if (made !== undefined) await rm(made, { recursive: true, force: true });
    },
  };
}

/** Made when it is first asked for. */
function once<T>(make: () => Promise<T>): {
  readonly get: () => Promise<T>;
  readonly made: () => Promise<T> | undefined;
} {
  let made: Promise<T> | undefined;
  return { get: () => (made ??= make()), made: () => made };
}

/** Clients read from the token of a job which run it is of, and which caches it may use. */
function runtimeToken(github: ValueMap, secret: Uint8Array): string {
  const text = (name: string): string => toText(findProperty(github, name) ?? null);
  const claims = {
    scp: `Actions.Results:${text('run_id')}:${text('job')}`,
    ac: JSON.stringify([{ Scope: text('ref'), Permission: 3 }]),
    nonce: randomBytes(16).toString('hex'),
    exp: Math.floor(Date.now() / 1000) + 24 * 3600,
  };
  const parts = [{ alg: 'HS256', typ: 'JWT' }, claims].map((part) =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  );
  const signed = parts.join('.');
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}
