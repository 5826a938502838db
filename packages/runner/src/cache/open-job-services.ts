import { randomUUID } from 'node:crypto';
import type { Logger } from '@forgejo-runner/core';
import type { JobServices } from '../environment/job-services.ts';
import type { OpenEnvironment } from '../environment/open-environment.ts';
import { findProperty, toText, type ValueMap } from '../expressions/values.ts';
import type { ArtifactService } from './cache-access.ts';
import { cacheScope } from './cache-scope.ts';
import type { CacheServer } from './cache-server.ts';
import type { Listening } from './listeners.ts';
import type { Cache } from './open-cache.ts';
import { probeReach } from './reach-probe.ts';
import { inUrl, outwardAddress } from './runner-address.ts';

/** The cache server of this process, and how jobs reach it. */
export interface JobServicesOptions {
  readonly server: CacheServer;
  readonly cache: () => Promise<Cache>;
  /** Host for jobs that the administrator chose: no other one is tried. */
  readonly host?: string;
  /** Address of this machine to listen at; by default only where a job is, see {@link Listeners}. */
  readonly bind?: string;
  /** What jobs get in place of our own address, where something stands before it. */
  readonly publicUrl?: string;
  readonly log: Logger;
}

/** What the instance of a job offers it, where there is one. */
export interface InstanceServices {
  readonly url: string;
  readonly runtimeToken?: string;
  readonly idTokenRequest?: { readonly url: string; readonly token: string };
  /** Hands calls for artifacts on to the instance. */
  readonly artifacts?: ArtifactService;
}

/** The job that services are opened for. */
export interface ServedJob {
  readonly github: ValueMap;
  readonly instance: InstanceServices;
  /** Where a cache is none of its business: it is offered none, and no word is said about that. */
  readonly hasCache: boolean;
}

/**
 * Opens for one job the way to cache, artifacts and identity tokens.
 *
 * Clients look for the second API of caches and for artifacts at the same address, `ACTIONS_RESULTS_URL`, and there below
 * the root whatever its path. So that address is ours, and we hand calls for artifacts on; where the job does not reach
 * us it is that of the instance, and there is no cache.
 */
export async function openJobServices(
  options: JobServicesOptions,
  job: ServedJob,
  place: OpenEnvironment,
  signal: AbortSignal,
): Promise<JobServices> {
  const { instance } = job;
  const variables = instanceVariables(instance);
  const notices = missingOnes(instance);
  const secrets = [instance.runtimeToken, instance.idTokenRequest?.token].filter((one) => one !== undefined);
  if (!job.hasCache) return { variables, notices, secrets, [Symbol.asyncDispose]: async () => {} };

  const address = options.host ?? place.info.runnerAddress ?? (await outwardAddress());
  const listening = await listen(options, address);
  if (typeof listening === 'string') {
    return { variables, secrets, notices: [...notices, listening], [Symbol.asyncDispose]: async () => {} };
  }
  const origin =
    options.publicUrl?.replace(/\/+$/, '') ?? `${options.server.scheme}://${inUrl(address)}:${listening.port}`;
  const access = {
    job: randomUUID(),
    repository: repositoryOf(job),
    sinceS: Math.floor(Date.now() / 1000),
    ...cacheScope(job.github),
  };
  const key = options.server.keys.add(
    { access, ...(instance.artifacts === undefined ? {} : { artifacts: instance.artifacts }) },
    instance.runtimeToken,
  );
  const close = async (): Promise<void> => {
    key[Symbol.dispose]();
    await listening[Symbol.asyncDispose]();
    if (options.server.wasUsed())
      await (await options.cache())
        .endJob(access)
        .catch((error: unknown) => options.log.warn('uploads of a job were not removed', { error: String(error) }));
  };
  try {
    const isHere = address.startsWith('127.') && options.publicUrl === undefined;
    const reach = isHere ? 'reached' : await probeReach(place, origin, signal);
    if (reach === 'not-reached') {
      await close();
      notices.push(
        `The cache of the runner is not reached from ${place.environment.name} at ${origin}; this job has none. For the administrator: set cache.host to an address of the runner that jobs reach, and let a firewall pass cache.port`,
      );
      return { variables, notices, secrets, [Symbol.asyncDispose]: async () => {} };
    }
    variables.set('ACTIONS_CACHE_URL', `${origin}/${key.token}/`);
    // Without the other token there is nothing that clients of the second API could name themselves with; and they drop
    // the path of an address.
    if (instance.runtimeToken !== undefined && new URL(origin).pathname === '/') {
      variables.set('ACTIONS_CACHE_SERVICE_V2', 'true');
      variables.set('ACTIONS_RESULTS_URL', `${origin}/`);
    }
    return { variables, notices, secrets: [...secrets, key.token], [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** @returns why there is no cache, where the address is not ours to listen at. */
async function listen({ server, bind, log }: JobServicesOptions, address: string): Promise<Listening | string> {
  try {
    return bind === undefined ? await server.listeners.reach(address) : await server.listeners.listen(bind);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    log.error('the cache server cannot listen', { address: bind ?? address, error: reason });
    return `The runner cannot offer its cache at ${bind ?? address}: ${reason}. This job has none`;
  }
}

function instanceVariables({ url, runtimeToken, idTokenRequest }: InstanceServices): Map<string, string> {
  const base = url.replace(/\/+$/, '');
  const variables = new Map<string, string>();
  if (runtimeToken !== undefined) {
    variables.set('ACTIONS_RUNTIME_URL', `${base}/api/actions_pipeline/`);
    variables.set('ACTIONS_RUNTIME_TOKEN', runtimeToken);
    variables.set('ACTIONS_RESULTS_URL', base);
  }
  if (idTokenRequest !== undefined) {
    variables.set('ACTIONS_ID_TOKEN_REQUEST_URL', idTokenRequest.url);
    variables.set('ACTIONS_ID_TOKEN_REQUEST_TOKEN', idTokenRequest.token);
  }
  return variables;
}

function missingOnes({ runtimeToken }: InstanceServices): string[] {
  if (runtimeToken !== undefined) return [];
  return ['The instance gave this job no token for uploads: it has no artifacts, and no second API of caches'];
}

/** With the instance before it: two instances may have a repository of the same name. */
function repositoryOf({ github, instance }: ServedJob): string {
  return `${new URL(instance.url).host}/${toText(findProperty(github, 'repository') ?? null).toLowerCase()}`;
}
