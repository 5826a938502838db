import type { CallContext } from '@forgejo-runner/core';
import { askEngine } from './ask-engine.ts';
import type { DockerEndpoint } from './endpoint.ts';
import { labelKeys } from './object-labels.ts';

/** Something in an engine that carries our labels. */
export interface OwnedObject {
  readonly kind: 'container' | 'network' | 'volume';
  /** What the engine finds it by. */
  readonly id: string;
  readonly name: string;
  readonly environment: string;
  readonly boot: string;
  /** Not a number where the label does not say. */
  readonly expiresAt: number;
}

/** Lists what one runner has in an engine: everything, or that of one environment. */
export async function listOwnedObjects(
  { client }: DockerEndpoint,
  { runner, environment }: { readonly runner: string; readonly environment?: string },
  ctx: Pick<CallContext, 'signal'>,
): Promise<readonly OwnedObject[]> {
  const label = [
    `${labelKeys.runner}=${runner}`,
    ...(environment === undefined ? [] : [`${labelKeys.environment}=${environment}`]),
  ];
  const filters = { label };
  const [containers, networks, volumes] = await askEngine({ doing: 'list what belongs to the runner' }, ctx, () =>
    Promise.all([
      client.listContainers({ all: true, filters }),
      client.listNetworks({ filters }),
      client.listVolumes({ filters }),
    ]),
  );
  const found = [
    ...containers.map(({ Id, Names, Labels }) => objectOf('container', Id, Names[0]?.replace(/^\//, ''), Labels)),
    ...networks.map(({ Id, Name, Labels }) => objectOf('network', Id, Name, Labels)),
    // An engine without volumes says null.
    ...(volumes.Volumes ?? []).map(({ Name, Labels }) => objectOf('volume', Name, Name, Labels)),
  ];
  // Filters of an engine are not trusted with what must not be removed.
  return found.flatMap(({ object, owner }) =>
    owner === runner && (environment === undefined || object.environment === environment) ? [object] : [],
  );
}

function objectOf(
  kind: OwnedObject['kind'],
  id: string,
  name: string | undefined,
  labels: Readonly<Record<string, string>> | null | undefined,
): { readonly object: OwnedObject; readonly owner: string | undefined } {
  const text = (key: string): string => labels?.[key] ?? '';
  const expires = text(labelKeys.expires);
  return {
    owner: labels?.[labelKeys.runner],
    object: {
      kind,
      id,
      name: name ?? id,
      environment: text(labelKeys.environment),
      boot: text(labelKeys.boot),
      expiresAt: /^\d{1,16}$/.test(expires) ? Number(expires) : Number.NaN,
    },
  };
}
