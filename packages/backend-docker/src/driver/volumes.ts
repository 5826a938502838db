import { BackendError, type CallContext, type EnvironmentRequest, type Mount } from '@forgejo-runner/core';
import type { MountConfig } from 'dockerode';
import { askEngine, type Making } from './ask-engine.ts';
import type { DockerEndpoint } from './endpoint.ts';
import { labelKeys, objectLabels } from './object-labels.ts';

/** One entry of the engine's list of mounts. */
export type EngineMount = MountConfig[number];

/**
 * Makes a volume of the job.
 *
 * @throws BackendError `plan` when there is one of that name that is not of this environment.
 */
export async function createVolume(
  { client }: DockerEndpoint,
  request: Pick<EnvironmentRequest, 'name' | 'owner' | 'expiresAt'>,
  { volume, making }: { readonly volume: string; readonly making: Making },
  ctx: CallContext,
): Promise<void> {
  const labels = objectLabels(request);
  await askEngine({ doing: 'make a volume', resource: volume, making }, ctx, async () => {
    await client.createVolume({ Name: volume, Driver: 'local', Labels: { ...labels } });
    // An engine answers with the volume that is there, whosever it is.
    const found = await client.getVolume(volume).inspect();
    if (Object.values(labelKeys).every((key) => found.Labels?.[key] === labels[key])) return;
    throw new BackendError('plan', `expected a name that is free, found a volume "${volume}" already`, {
      resource: volume,
      hint: 'choose another name for each attempt',
    });
  });
  const resource = `volume ${volume}`;
  ctx.emit({ type: 'resource.created', at: Date.now(), environment: request.name, attributes: { resource } });
}

/** A volume of ours. Nothing of the image goes into it, so that it is as empty with every image. */
export function volumeMount(volume: string, target: string): EngineMount {
  return {
    Type: 'volume',
    Source: volume,
    Target: target,
    VolumeOptions: { NoCopy: true, Labels: {}, DriverConfig: { Name: '', Options: {} } },
  };
}

/** A folder of the machine at the same path. */
export function sameBind(folder: string): EngineMount {
  return { Type: 'bind', Source: folder, Target: folder };
}

/**
 * A mount of a specification: a path, the name of a volume, or, with an empty source, a volume that goes with its
 * container.
 *
 * @throws BackendError `unsupported` for a path where the engine does not see the paths of the machine.
 */
export function engineMount({ source, target, readOnly }: Mount, binds: 'target-paths' | 'none'): EngineMount {
  if (!isPath(source)) return { Type: 'volume', Source: source, Target: target, ReadOnly: readOnly };
  if (binds === 'target-paths') return { Type: 'bind', Source: source, Target: target, ReadOnly: readOnly };
  throw new BackendError(
    'unsupported',
    `expected the name of a volume, found the path "${source.slice(0, 200)}"; this engine does not see the paths of the machine`,
    {
      resource: source,
      unmet: ['volumes'],
      hint: 'mount a named volume instead',
    },
  );
}

function isPath(source: string): boolean {
  return /^(?:[/\\.~]|[A-Za-z]:[\\/])/.test(source);
}
