import {
  type CallContext,
  type DelegatedContainers,
  type DelegationRequest,
  type DockerDriver,
  type RemoveReport,
} from '@forgejo-runner/core';
import { driverFields } from '../label.ts';
import { openDockerEndpoint } from './endpoint.ts';
import { imageSource } from './image-source.ts';
import { JobContainers } from './job-containers.ts';
import { machineFolders } from './job-folders.ts';
import { livingEnvironments } from './living-environments.ts';
import { pruneImages } from './prune-images.ts';
import { isLoopback } from './runner-address.ts';
import { sweepEngine } from './sweep-engine.ts';

/** An engine of another backend has no section of ours to say it. */
const keepImagesMs = 30 * 24 * 3_600_000;

/** Makes the containers of jobs at endpoints that other backends hand out. */
export const dockerDriver: DockerDriver = {
  api: 1,
  fields: driverFields,
  open: openDelegated,
  sweep: async (descriptor, request, ctx) => {
    await using endpoint = await openDockerEndpoint(descriptor, ctx);
    return sweepEngine(endpoint, request, ctx);
  },
  prune: async (descriptor, request, ctx) => {
    await using endpoint = await openDockerEndpoint(descriptor, ctx);
    // What it pulls there is not remembered anywhere, so only what it built goes.
    return pruneImages(endpoint, request, { unusedMs: keepImagesMs }, ctx);
  },
};

async function openDelegated(request: DelegationRequest, ctx: CallContext): Promise<DelegatedContainers> {
  const { environment, endpoint: descriptor, info } = request;
  const { runnerAddress } = info;
  const endpoint = await openDockerEndpoint(descriptor, ctx);
  try {
    const containers = new JobContainers({
      endpoint,
      request: environment,
      settings: {
        hasIpv6: false,
        // The runner compared what the job asks for with what its administrator allows.
        privileged: 'asked',
        binds: descriptor.binds,
        // Ports that steps reach there need not be open to anybody else.
        ...(isLoopback(descriptor.publishedHost) ? { publishAt: descriptor.publishedHost } : {}),
        ...(runnerAddress === undefined || isLoopback(runnerAddress) ? {} : { runnerAddress }),
      },
      folders: machineFolders(request),
      images: imageSource(endpoint, { request: environment }),
      publishedHost: descriptor.publishedHost,
      onRemoved: (report) => livingEnvironments.removed(environment.name, report),
    });
    livingEnvironments.add(environment.name);
    const { jobContainer, services } = environment.plan;
    await containers.pullImages([...services, ...(jobContainer === undefined ? [] : [jobContainer])], ctx);
    return closing(containers, endpoint);
  } catch (error) {
    livingEnvironments.removed(environment.name, { leaked: [] });
    await endpoint[Symbol.asyncDispose]();
    throw error;
  }
}

/** The same containers, and the connection that was opened for them. */
function closing(containers: JobContainers, endpoint: AsyncDisposable): DelegatedContainers {
  const { createJobContainer, createServiceContainer, createStepContainer, buildImage } = containers;
  return {
    createJobContainer,
    createServiceContainer,
    createStepContainer,
    buildImage,
    remove: (ctx): Promise<RemoveReport> => containers.remove(ctx),
    [Symbol.asyncDispose]: async () => {
      await containers[Symbol.asyncDispose]();
      await endpoint[Symbol.asyncDispose]();
    },
  };
}
