import { randomBytes } from 'node:crypto';
import { BackendError, type CallContext, type EnvironmentRequest } from '@forgejo-runner/core';
import { askEngine, type Making } from './ask-engine.ts';
import type { DockerEndpoint } from './endpoint.ts';
import { objectLabels } from './object-labels.ts';

/** The network that the containers of a job share. */
export interface JobNetwork {
  readonly name: string;
  /** Containers find each other by name: not in the networks that engines come with. */
  readonly hasNames: boolean;
  /** Containers share the network of the engine's machine. */
  readonly isHost: boolean;
}

/** What the administrator wants. */
export interface NetworkSettings {
  /** Used as it is; absent for a network of the job's own. */
  readonly network?: string;
  readonly hasIpv6: boolean;
}

/** They have no names for containers. */
const builtIn = ['bridge', 'default', 'podman', 'none', 'host'];

/**
 * Makes the network of a job, or looks for the configured one.
 *
 * @throws BackendError `plan` when there is one of that name already, `capacity` when the engine has no addresses left,
 * `unavailable` when the configured one is not there.
 */
export async function openNetwork(
  endpoint: DockerEndpoint,
  request: Pick<EnvironmentRequest, 'name' | 'owner' | 'expiresAt'>,
  settings: NetworkSettings & { readonly making: Making },
  ctx: CallContext,
): Promise<JobNetwork> {
  if (settings.network !== undefined) return findNetwork(endpoint, settings.network, ctx);
  const { name } = request;
  await askEngine({ doing: 'make the network of the job', resource: name, making: settings.making }, ctx, async () => {
    try {
      await endpoint.client.createNetwork({
        Name: name,
        // Engines before 25 make two networks of one name without it.
        CheckDuplicate: true,
        Driver: 'bridge',
        Labels: { ...objectLabels(request) },
        ...(settings.hasIpv6
          ? { EnableIPv6: true, IPAM: { Driver: 'default', Config: [{ Subnet: randomSubnet() }] } }
          : {}),
      });
    } catch (error) {
      throw networkError(error, name);
    }
  });
  ctx.emit({
    type: 'resource.created',
    at: Date.now(),
    environment: name,
    attributes: { resource: `network ${name}` },
  });
  return { name, hasNames: true, isHost: false };
}

async function findNetwork({ client }: DockerEndpoint, name: string, ctx: CallContext): Promise<JobNetwork> {
  const network = { name, hasNames: !builtIn.includes(name), isHost: name === 'host' };
  if (name === 'host' || name === 'none') return network;
  const found = await askEngine({ doing: 'look for the configured network', resource: name }, ctx, () =>
    client.listNetworks({ filters: { name: [name] } }),
  );
  // The filter takes any part of a name.
  if (found.some((one) => one.Name === name || one.Id === name)) return network;
  throw new BackendError('unavailable', `expected the configured network "${name}" in the engine, found none`, {
    resource: name,
    hint: `make it with "docker network create ${name}", or change the key "network" of the backend`,
  });
}

/** Unique local addresses. Engines before 27 choose none by themselves. Source: RFC 4193, section 3.2. */
function randomSubnet(): string {
  const hex = `fd${randomBytes(7).toString('hex')}`;
  return `${hex.match(/.{4}/g)?.join(':') ?? ''}::/64`;
}

function networkError(error: unknown, name: string): unknown {
  const text = error instanceof Error ? error.message : '';
  if (/already exists|already used/.test(text)) {
    return new BackendError('plan', `expected a name that is free, found a network "${name}" already`, {
      resource: name,
      cause: error,
      hint: 'choose another name for each attempt',
    });
  }
  if (/non-overlapping|fully subnetted|could not find free subnet|no available/i.test(text)) {
    return new BackendError(
      'capacity',
      'expected a free range of addresses for the network of the job, found all in use',
      {
        resource: name,
        retryAfterMs: 5000,
        cause: error,
        hint: 'add ranges to default-address-pools of the engine, or run fewer jobs at a time',
      },
    );
  }
  return error;
}
