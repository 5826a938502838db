import { randomUUID } from 'node:crypto';
import type { Logger } from '@forgejo-runner/core';
import type { JobServices } from '../environment/job-services.ts';
import type { OpenEnvironment } from '../environment/open-environment.ts';
import { findProperty, toText, type ValueMap } from '../expressions/values.ts';
import type { PlannedJob } from '../plan/planned-job.ts';
import type { ArtifactService } from './cache-access.ts';
import { cacheScope } from './cache-scope.ts';
import type { CacheServer } from './cache-server.ts';
import type { Cache } from './open-cache.ts';
import { openWay } from './open-way.ts';

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
  /** This process stands in for it: its address leads nowhere. */
  readonly isHere?: boolean;
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
  /** Steps may have containers beside the place where they run. */
  readonly hasStepContainers: boolean;
  /** What the reader of the log should know beside. */
  readonly hints: readonly string[];
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
  const notices = [...missingOnes(instance), ...job.hints];
  const secrets = [instance.runtimeToken, instance.idTokenRequest?.token].filter((one) => one !== undefined);
  const without = { variables, secrets, [Symbol.asyncDispose]: async () => {} };
  if (!job.hasCache) return { ...without, notices };
  const way = await openWay(options, job, place, signal);
  if (way.kind === 'none') return { ...without, notices: [...notices, ...way.because] };

  const { origin, listening } = way;
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
  if (instance.isHere === true && instance.runtimeToken !== undefined) {
    variables.set('ACTIONS_RUNTIME_TOKEN', instance.runtimeToken);
    variables.set('ACTIONS_RUNTIME_URL', `${origin}/api/actions_pipeline/`);
  }
  variables.set('ACTIONS_CACHE_URL', `${origin}/${key.token}/`);
  if (instance.runtimeToken !== undefined && (await hasSecondApi(options, origin))) {
    variables.set('ACTIONS_CACHE_SERVICE_V2', 'true');
    variables.set('ACTIONS_RESULTS_URL', `${origin}/`);
  }
  return {
    variables,
    notices,
    secrets: [...secrets, key.token],
    [Symbol.asyncDispose]: async () => {
      key[Symbol.dispose]();
      await listening[Symbol.asyncDispose]();
      if (!options.server.wasUsed()) return;
      await (await options.cache())
        .endJob(access)
        .catch((error: unknown) => options.log.warn('uploads of a job were not removed', { error: String(error) }));
    },
  };
}

/** Whether steps of a job may have containers at an engine beside the place where they run, as far as it is known. */
export function hasStepContainers({ label, containers }: Pick<PlannedJob, 'label' | 'containers'>): boolean {
  return label.resolved.capabilities.containers.via === 'docker-endpoint' && containers.stepContainers !== 'none';
}

/** Its clients drop the path of an address; and a server elsewhere may not know it. */
async function hasSecondApi({ server }: JobServicesOptions, origin: string): Promise<boolean> {
  return new URL(origin).pathname === '/' && (await server.hasSecondApi());
}

function instanceVariables({ url, isHere, runtimeToken, idTokenRequest }: InstanceServices): Map<string, string> {
  if (isHere === true) return new Map();
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
