import { type CallContext, isBackendError, type RegistryCredentials } from '@forgejo-runner/core';
import { askEngine } from './ask-engine.ts';
import type { DockerEndpoint } from './endpoint.ts';
import { type ImageFailure, EngineMessage, pullError } from './image-errors.ts';
import type { ImageReference } from './image-reference.ts';
import { errorIn, readMessages } from './json-stream.ts';
import { PullProgress } from './pull-progress.ts';
import { findRegistryLogin, type RegistryLogin } from './registry-login.ts';

/** An image that is to be pulled. */
export interface Pull {
  readonly image: string;
  readonly reference: ImageReference;
  readonly platform?: string;
  readonly credentials?: RegistryCredentials;
}

/**
 * Pulls an image, and tells the job log how far it is. When the call is cancelled the engine stops pulling.
 *
 * @throws BackendError `image`, `auth` or `unavailable`.
 */
export async function pullImage(endpoint: DockerEndpoint, pull: Pull, ctx: CallContext): Promise<void> {
  const { image, platform, reference } = pull;
  await say(ctx, `pulling ${image}${platform === undefined ? '' : ` for ${platform}`}\n`);
  const startedMs = performance.now();
  const login = await findRegistryLogin(reference.registry, pull.credentials, ctx);
  try {
    await pullOnce(endpoint, pull, login, ctx);
  } catch (error) {
    // A login that is out of date must not keep anybody from an image that is for everybody.
    if (login?.source !== 'administrator' || !isBackendError(error) || error.code !== 'auth') throw error;
    ctx.log.warn(
      `${reference.registry} refuses the login of the runner, so "${image}" is pulled without it: ${error.message}`,
    );
    await withoutLogin(endpoint, pull, error, ctx);
  }
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  await say(ctx, `pulled ${image} in ${seconds} s\n`);
  ctx.emit({
    type: 'image.pull',
    at: Date.now(),
    attributes: { image, registry: reference.registry, seconds: Number(seconds) },
  });
}

/** Where that fails too, the refused login is what somebody has to look at. */
async function withoutLogin(endpoint: DockerEndpoint, pull: Pull, refused: Error, ctx: CallContext): Promise<void> {
  try {
    await pullOnce(endpoint, pull, undefined, ctx);
  } catch (error) {
    throw isBackendError(error) && error.code === 'auth' ? refused : error;
  }
}

async function pullOnce(
  endpoint: DockerEndpoint,
  pull: Pull,
  login: RegistryLogin | undefined,
  ctx: CallContext,
): Promise<void> {
  const { image, platform, reference } = pull;
  const failure: ImageFailure = {
    image,
    registry: reference.registry,
    ...(platform === undefined ? {} : { platform }),
    ...(login === undefined ? {} : { login: login.source }),
  };
  await askEngine({ doing: `pull image "${image}"`, resource: image }, ctx, async () => {
    try {
      const stream = await endpoint.client.createImage({
        fromImage: reference.name,
        tag: reference.version,
        ...(platform === undefined ? {} : { platform }),
        ...(login === undefined ? {} : { authconfig: login.auth }),
        // It ends the request, and with it the engine's work for it: layers that are there stay for the next time.
        abortSignal: ctx.signal,
      });
      await follow(stream as AsyncIterable<Uint8Array>, ctx); // a response without an encoding gives bytes
    } catch (error) {
      throw ctx.signal.aborted ? error : pullError(error, failure);
    }
  });
}

async function follow(stream: AsyncIterable<Uint8Array>, ctx: CallContext): Promise<void> {
  const progress = new PullProgress(ctx.progress);
  let failed: string | undefined;
  for await (const message of readMessages(stream)) {
    failed ??= errorIn(message);
    await progress.take(message);
  }
  if (failed !== undefined) throw new EngineMessage(failed);
}

async function say(ctx: CallContext, text: string): Promise<void> {
  await ctx.progress(Buffer.from(text));
}
