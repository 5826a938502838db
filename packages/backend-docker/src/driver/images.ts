import { BackendError, type CallContext, type ContainerSpec } from '@forgejo-runner/core';
import type { ImageInspectInfo } from 'dockerode';
import { statusOf } from '../platform-errors.ts';
import { askEngine } from './ask-engine.ts';
import type { DockerEndpoint } from './endpoint.ts';
import type { ImageRecords, UsedImageRecord } from './image-records.ts';
import { type ImageReference, parseImageReference } from './image-reference.ts';
import { type ImagePlatform, isForPlatform, platformName, runsNatively } from './platform.ts';
import { pullImage } from './pull-image.ts';

/** An image that is in the engine. */
export interface ProvidedImage {
  readonly id: string;
  /** As it was asked for, for messages. */
  readonly name: string;
  readonly config: ImagePlatform & {
    readonly env: readonly string[];
    readonly user: string;
  };
}

/** What a container needs of its image. */
export type WantedImage = Pick<ContainerSpec, 'image' | 'pull' | 'credentials'> & { readonly platform?: string };

/** What the administrator says about images. */
export interface ImagePolicy {
  /** Absent where nothing is kept between jobs. */
  readonly records?: ImageRecords;
  /** An image that was pulled longer ago is pulled again. */
  readonly maxAgeMs?: number;
}

/**
 * Has an image in the engine, and pulls it where its policy says so.
 *
 * @throws BackendError `plan` for a malformed name, `image` when there is no such image or it is for another platform,
 * `auth` when the registry does not hand it out, `image` with `retryable` when the registry does not answer.
 */
export async function provideImage(
  endpoint: DockerEndpoint,
  wanted: WantedImage,
  policy: ImagePolicy,
  ctx: CallContext,
): Promise<ProvidedImage> {
  const reference = parseImageReference(wanted.image);
  const { platform = '' } = wanted;
  const key = { name: wanted.image, platform };
  const present = await findImage(endpoint, wanted.image, ctx);
  const record = await policy.records?.find(key);
  const reason = whyPull({ wanted, reference, present, record, facts: endpoint.facts, maxAgeMs: policy.maxAgeMs });
  if (reason === undefined) {
    const image = checked(wanted, present, endpoint);
    await policy.records?.touch(key);
    await warnOfEmulation(image, endpoint, ctx);
    return image;
  }
  const pulled = await pull(endpoint, { wanted, reference, present, reason }, ctx);
  if (pulled.isNew) {
    const isOurs = present === undefined || record?.isOurs === true;
    await remember(policy, { kind: 'pulled', ...key, id: pulled.image.id, pulledAtMs: Date.now(), isOurs }, ctx);
  }
  await warnOfEmulation(pulled.image, endpoint, ctx);
  return pulled.image;
}

/** Why an image has to be pulled; undefined for one that does not. */
type PullReason = 'always' | 'missing' | 'platform' | 'age';

function whyPull(state: {
  readonly wanted: WantedImage;
  readonly reference: ImageReference;
  readonly present: ProvidedImage | undefined;
  readonly record: UsedImageRecord | undefined;
  readonly facts: DockerEndpoint['facts'];
  readonly maxAgeMs: number | undefined;
}): PullReason | undefined {
  const { wanted, reference, present, record, facts, maxAgeMs } = state;
  if (wanted.pull === 'never' || reference.isId) return undefined;
  if (wanted.pull === 'always') return 'always';
  if (present === undefined) return 'missing';
  const fits =
    wanted.platform === undefined
      ? runsNatively(present.config, facts)
      : isForPlatform(present.config, wanted.platform);
  if (!fits) return 'platform';
  // What is named by its content does not age.
  if (maxAgeMs === undefined || reference.version.includes(':')) return undefined;
  return Date.now() - (record?.pulledAtMs ?? 0) > maxAgeMs ? 'age' : undefined;
}

async function pull(
  endpoint: DockerEndpoint,
  state: {
    readonly wanted: WantedImage;
    readonly reference: ImageReference;
    readonly present: ProvidedImage | undefined;
    readonly reason: PullReason;
  },
  ctx: CallContext,
): Promise<{ readonly image: ProvidedImage; readonly isNew: boolean }> {
  const { wanted, reference, present, reason } = state;
  try {
    await pullImage(endpoint, { ...wanted, reference }, ctx);
    return { image: checked(wanted, await findImage(endpoint, wanted.image, ctx), endpoint), isNew: true };
  } catch (error) {
    // One that is there, and that nobody demanded anew, is better than none: it may never have been in a registry.
    const isUsable = reason === 'age' || (reason === 'platform' && wanted.platform === undefined);
    if (!isUsable || present === undefined || !(error instanceof BackendError) || error.code === 'cancelled')
      throw error;
    await ctx.progress(
      Buffer.from(`cannot pull ${wanted.image}, so the one that is there is used: ${error.message}\n`),
    );
    return { image: present, isNew: false };
  }
}

/** @throws BackendError `image` where there is none, or one for another platform. */
function checked(wanted: WantedImage, image: ProvidedImage | undefined, { facts }: DockerEndpoint): ProvidedImage {
  const { image: name, platform, pull: policy } = wanted;
  if (image === undefined) {
    const hint =
      policy === 'never'
        ? 'bring the image into the engine, or let it be pulled with "pull: missing"'
        : 'run the job again';
    throw new BackendError(
      'image',
      `expected image "${name}" in the engine, found none${policy === 'never' ? ', and it is never pulled' : ''}`,
      {
        resource: name,
        // Somebody removed it between the pull and now.
        retryable: policy !== 'never',
        hint,
      },
    );
  }
  if (platform !== undefined && !isForPlatform(image.config, platform)) {
    throw new BackendError(
      'image',
      `expected image "${name}" for ${platform}, found it for ${platformName(image.config)}`,
      {
        resource: name,
        hint: `choose an image that is made for ${platform}, or another platform; the engine is for ${facts.os}/${facts.arch}`,
      },
    );
  }
  return image;
}

async function warnOfEmulation(
  { name, config }: ProvidedImage,
  { facts }: DockerEndpoint,
  ctx: CallContext,
): Promise<void> {
  if (runsNatively(config, facts)) return;
  const text = `image ${name} is for ${platformName(config)} and the engine for ${facts.os}/${facts.arch}: it needs emulation, and is slow with it\n`;
  await ctx.progress(Buffer.from(text));
}

async function remember(
  policy: ImagePolicy,
  record: Parameters<ImageRecords['write']>[0],
  { log }: CallContext,
): Promise<void> {
  try {
    await policy.records?.write(record);
  } catch (error) {
    log.warn(`cannot remember that image "${record.name}" was pulled: ${String(error)}`);
  }
}

/** An image of the engine, by its name or id. */
export async function findImage(
  { client }: DockerEndpoint,
  name: string,
  ctx: Pick<CallContext, 'signal'>,
): Promise<ProvidedImage | undefined> {
  return askEngine({ doing: `look for image "${name}"`, resource: name }, ctx, async () => {
    try {
      return providedImage(name, await client.getImage(name).inspect());
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      throw error;
    }
  });
}

function providedImage(name: string, found: ImageInspectInfo): ProvidedImage {
  // Engines leave out what an image does not say, whatever their types have.
  const { Env, User }: { readonly Env?: string[] | null; readonly User?: string } = found.Config ?? {};
  return {
    // Podman's ids come without the word in front, and mean the same with it.
    id: found.Id,
    name,
    config: {
      env: Env ?? [],
      user: User ?? '',
      os: found.Os ?? '',
      architecture: found.Architecture ?? '',
      variant: found.Variant ?? '',
    },
  };
}
