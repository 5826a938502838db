import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { BackendError, type BuildRequest, type CallContext, type Owner } from '@forgejo-runner/core';
import type { ImageBuildOptions } from 'dockerode';
import type { DockerConfig } from '../config.ts';
import { engineError, engineWords, statusOf } from '../platform-errors.ts';
import { askEngine } from './ask-engine.ts';
import { baseImages } from './base-images.ts';
import { type ContextFile, openContextFile } from './build-context-file.ts';
import type { DockerEndpoint } from './endpoint.ts';
import { knownImageError, EngineMessage } from './image-errors.ts';
import { defaultRegistry, parseImageReference } from './image-reference.ts';
import { findImage, type ImagePolicy } from './images.ts';
import { errorIn, readMessages } from './json-stream.ts';
import { labelKeys } from './object-labels.ts';
import { findRegistryLogin, serverOf } from './registry-login.ts';

/** An image that is to be built. */
export interface Build {
  readonly request: BuildRequest;
  readonly owner: Owner;
  readonly policy: ImagePolicy;
  readonly config?: Pick<DockerConfig, 'force_rebuild' | 'memory' | 'cpus' | 'network'>;
}

/** Says what an image was built from. */
const contentLabel = 'org.forgejo.runner.content';
/** What an error shows of the log; the job log has all of it. */
const tailLines = 10;

/**
 * Builds an image, or finds the one that was built from the same files before. It carries the label of the runner, is
 * kept for later jobs, and goes when images are pruned.
 *
 * @throws BackendError `plan` for a Dockerfile that does not build, `image` or `auth` for an image that it begins with,
 * `unavailable` when the engine cannot.
 */
export async function buildImage(
  endpoint: DockerEndpoint,
  build: Build,
  ctx: CallContext,
): Promise<{ readonly image: string }> {
  const { request, owner, config } = build;
  await using context = await openContextFile(request.context, request.dockerfile, ctx.signal);
  const hash = contentHash(build, context);
  const labels = { [labelKeys.runner]: owner.runner, [contentLabel]: hash };
  const name = `${repositoryOf(request.tag)}:${hash.slice(0, 40)}`;
  const record = { kind: 'built', name, platform: '' } as const;
  const present = config?.force_rebuild === true ? undefined : await findBuilt(endpoint, { name, labels }, ctx);
  if (present !== undefined) {
    await request.output(Buffer.from('its files are those of an image that was built before, which is used\n'));
    await build.policy.records?.touch(record);
    return { image: present };
  }
  const startedMs = performance.now();
  const image = await runBuild(endpoint, { build, context, name, labels }, ctx);
  await build.policy.records?.write({ ...record, id: image, pulledAtMs: Date.now(), isOurs: true }).catch(() => {});
  const seconds = Number(((performance.now() - startedMs) / 1000).toFixed(1));
  ctx.emit({ type: 'image.build', at: Date.now(), attributes: { image: name, seconds } });
  return { image };
}

/** Everything that makes two builds the same. */
function contentHash({ request, owner }: Build, { contentHash: files }: ContextFile): string {
  const { dockerfile, platform = '', buildArgs } = request;
  const args = Object.entries(buildArgs).toSorted(([one], [other]) => (one < other ? -1 : 1));
  // With the runner in it, two runners on one engine do not take each other's tag away.
  return createHash('sha256')
    .update(JSON.stringify([files, dockerfile, platform, args, owner.runner]))
    .digest('hex');
}

/** Only what carries our labels under our own name: labels alone could be those of an image that somebody pulled. */
async function findBuilt(
  { client }: DockerEndpoint,
  { name, labels }: { readonly name: string; readonly labels: Readonly<Record<string, string>> },
  ctx: CallContext,
): Promise<string | undefined> {
  return askEngine({ doing: 'look for an image that was built before', resource: name }, ctx, async () => {
    try {
      const { Id, Config } = await client.getImage(name).inspect();
      const found: Readonly<Record<string, string>> = Config?.Labels ?? {};
      return Object.entries(labels).every(([key, value]) => found[key] === value) ? imageId(Id) : undefined;
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      throw error;
    }
  });
}

async function runBuild(
  endpoint: DockerEndpoint,
  parts: {
    readonly build: Build;
    readonly context: ContextFile;
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
  },
  ctx: CallContext,
): Promise<string> {
  const { build, context, name, labels } = parts;
  const bases = baseImages(context.dockerfile ?? '', build.request.buildArgs);
  const options: ImageBuildOptions = {
    ...buildOptions(build),
    t: name,
    labels: { ...labels },
    ...(await registryConfig(bases, ctx)),
    abortSignal: ctx.signal,
  };
  const log = new BuildLog(build.request.output);
  await askEngine({ doing: 'build the image', resource: name }, ctx, async () => {
    try {
      // A response without an encoding gives bytes.
      const stream = await endpoint.client.buildImage(createReadStream(context.path), options);
      for await (const message of readMessages(stream as AsyncIterable<Uint8Array>)) await log.take(message);
    } catch (error) {
      throw ctx.signal.aborted ? error : buildError(error, { log, bases });
    }
    if (log.failed !== undefined) throw buildError(new EngineMessage(log.failed), { log, bases });
  });
  const built = await findImage(endpoint, name, ctx);
  if (built === undefined) throw buildError(new EngineMessage('the engine built no image'), { log, bases });
  return imageId(built.id);
}

function buildOptions({ request, config }: Build): ImageBuildOptions {
  const { dockerfile, platform, buildArgs } = request;
  return {
    dockerfile,
    // The first builder: the other one needs a session that no engine before 23 and no podman has in common.
    version: '1',
    rm: true,
    forcerm: true,
    buildargs: { ...buildArgs },
    ...(platform === undefined ? {} : { platform }),
    ...(config?.force_rebuild === true ? { nocache: true } : {}),
    ...(config?.memory === undefined ? {} : { memory: config.memory, memswap: config.memory }),
    ...(config?.cpus === undefined ? {} : { cpuperiod: 100_000, cpuquota: Math.round(config.cpus * 100_000) }),
    ...(config?.network === undefined ? {} : { networkmode: config.network }),
  };
}

type Logins = Pick<ImageBuildOptions, 'registryconfig'>;

/** The logins for the images that a Dockerfile begins with: the engine is shown no other ones. */
async function registryConfig(bases: readonly string[], ctx: CallContext): Promise<Logins> {
  const registries = new Set(bases.flatMap((base) => registryOf(base)));
  const logins: Record<string, object> = {};
  for (const registry of registries) {
    const login = await findRegistryLogin(registry, undefined, ctx);
    if (login !== undefined) logins[serverOf(registry)] = login.auth;
  }
  if (Object.keys(logins).length === 0) return {};
  // The client would encode it for a place where "+" and "/" are allowed; in this header they are not, and the padding
  // that belongs to it must not be missing. Its types do not say that it takes what is encoded already.
  const base64 = Buffer.from(JSON.stringify(logins)).toString('base64').replaceAll('+', '-').replaceAll('/', '_');
  return { registryconfig: { base64 } } as unknown as Logins;
}

function registryOf(image: string): readonly string[] {
  try {
    const { registry, isId } = parseImageReference(image);
    return isId ? [] : [registry];
  } catch {
    return []; // the engine says what is wrong with it
  }
}

/** The output of a build on its way to the job log, and its end for an error. */
class BuildLog {
  readonly #output: BuildRequest['output'];
  #tail: string[] = [];
  failed: string | undefined;

  constructor(output: BuildRequest['output']) {
    this.#output = output;
  }

  async take(message: Readonly<Record<string, unknown>>): Promise<void> {
    this.failed ??= errorIn(message);
    const { stream } = message;
    if (typeof stream !== 'string' || stream === '') return;
    this.#tail = [...this.#tail, ...stream.split(/[\r\n]+/).filter(Boolean)].slice(-tailLines);
    await this.#output(Buffer.from(stream));
  }

  tail(): string {
    return this.#tail.map((line) => `\n  ${line.slice(0, 300)}`).join('');
  }
}

function buildError(
  error: unknown,
  { log, bases }: { readonly log: BuildLog; readonly bases: readonly string[] },
): BackendError {
  const isAnswer = error instanceof EngineMessage || statusOf(error) !== undefined;
  const said = engineWords(error);
  if (!isAnswer) return engineError(error, 'build the image');
  // A command of the Dockerfile may say anything; only what the engine says before the first one is about its base.
  const isCommand = /returned a non-zero code|exit status|while running runtime|building at STEP "RUN/.test(said);
  const [base = 'of the Dockerfile'] = bases;
  const known = isCommand
    ? undefined
    : knownImageError(said, { image: base, registry: registryOf(base)[0] ?? defaultRegistry });
  if (known !== undefined && isAboutImages(said)) return known;
  return new BackendError('plan', `cannot build the image: ${said.slice(0, 500)}${log.tail()}`, {
    cause: error,
    hint: 'correct the Dockerfile of the action',
  });
}

function isAboutImages(said: string): boolean {
  return /manifest|pull|registry|denied|unauthorized|no space left|toomanyrequests|initializing source/i.test(said);
}

/** `acme/thing` of `acme/thing:tag`. */
function repositoryOf(tag: string): string {
  return parseImageReference(tag).name;
}

/** Podman's ids come without the word in front. */
function imageId(id: string): string {
  return id.startsWith('sha256:') ? id : `sha256:${id}`;
}
