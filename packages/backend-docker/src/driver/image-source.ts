import type { BuildRequest, CallContext, ContainerSpec, EnvironmentRequest } from '@forgejo-runner/core';
import type { DockerConfig } from '../config.ts';
import type { DockerEndpoint } from './endpoint.ts';
import { buildImage } from './image-build.ts';
import { ImageRecords } from './image-records.ts';
import { type ImagePolicy, type ProvidedImage, provideImage } from './images.ts';

/** Where the containers of one job have their images from. */
export interface ImageSource {
  /** Has an image in the engine. @throws BackendError `plan`, `image`, `auth` or `unavailable`. */
  readonly provide: (
    pull: Pick<ContainerSpec, 'image' | 'pull' | 'credentials' | 'options'>,
    ctx: CallContext,
  ) => Promise<ProvidedImage>;
  /** Builds an image from a Dockerfile. @throws BackendError `plan` with the end of its log, `image` or `unavailable`. */
  readonly build: (request: BuildRequest, ctx: CallContext) => Promise<{ readonly image: string }>;
}

/** What a source of images is made of. A driver has neither a configuration nor a folder of its own. */
export interface ImageSourceParts {
  readonly request: Pick<EnvironmentRequest, 'name' | 'owner'>;
  readonly config?: Pick<DockerConfig, 'pull_max_age_hours' | 'force_rebuild' | 'memory' | 'cpus' | 'network'>;
  readonly stateDir?: string;
}

/** Makes the source of images for one job. */
export function imageSource(endpoint: DockerEndpoint, { request, config, stateDir }: ImageSourceParts): ImageSource {
  const policy: ImagePolicy = {
    ...(stateDir === undefined ? {} : { records: new ImageRecords(stateDir) }),
    ...(config?.pull_max_age_hours === undefined ? {} : { maxAgeMs: config.pull_max_age_hours * 3_600_000 }),
  };
  return {
    provide: ({ image, pull, credentials, options }, ctx) =>
      provideImage(
        endpoint,
        {
          image,
          pull,
          ...(credentials === undefined ? {} : { credentials }),
          ...(typeof options.platform === 'string' ? { platform: options.platform } : {}),
        },
        policy,
        ctx,
      ),
    build: (wanted, ctx) =>
      buildImage(
        endpoint,
        { request: wanted, owner: request.owner, policy, ...(config === undefined ? {} : { config }) },
        ctx,
      ),
  };
}
