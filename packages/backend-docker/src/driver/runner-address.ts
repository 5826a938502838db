import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { CallContext } from '@forgejo-runner/core';
import { askEngine } from './ask-engine.ts';
import type { DockerEndpoint } from './endpoint.ts';
import type { JobPlace } from './job-place.ts';

/**
 * How a started container reaches the runner: by the gateway of its network, where the engine is on this machine. Undefined
 * where nobody can say: rootless engines and virtual machines keep their networks to themselves.
 */
export async function runnerAddress(
  { endpoint, network, settings }: Pick<JobPlace, 'endpoint' | 'network' | 'settings'>,
  container: string,
  ctx: CallContext,
): Promise<string | undefined> {
  // Packets of a container go on through the machine that it is in.
  if (settings.runnerAddress !== undefined) return settings.runnerAddress;
  const { publishedHost } = endpoint.descriptor;
  if (!isLoopback(publishedHost)) return addressTowards(publishedHost);
  if (endpoint.facts.isRootless) return undefined;
  if (network.isHost) return process.platform === 'linux' ? publishedHost : undefined;
  for (const gateway of await gatewaysOf(endpoint, container, ctx)) if (await isOwn(gateway)) return gateway;
  return undefined;
}

async function gatewaysOf({ client }: DockerEndpoint, container: string, ctx: CallContext): Promise<readonly string[]> {
  const { NetworkSettings: found } = await askEngine(
    { doing: 'look at the network of the container', resource: container },
    ctx,
    () => client.getContainer(container).inspect(),
  );
  return Object.values(found.Networks).flatMap(({ Gateway: gateway }) => (gateway === '' ? [] : [gateway]));
}

/** Whether this machine has an address. Its list of addresses leaves out bridges that nothing is attached to yet. */
async function isOwn(address: string): Promise<boolean> {
  const server = createServer();
  try {
    server.listen({ host: address, port: 0 });
    await once(server, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}

/** The address of this machine on the way to another one. No packet is sent. */
async function addressTowards(host: string): Promise<string | undefined> {
  const socket = createSocket('udp4');
  try {
    socket.connect(9, host);
    await Promise.race([
      once(socket, 'connect'),
      once(socket, 'error').then(([error]) => Promise.reject(error as Error)),
    ]);
    const { address } = socket.address();
    // The other end of a tunnel.
    return isLoopback(address) ? undefined : address;
  } catch {
    return undefined;
  } finally {
    socket.close();
  }
}

/** Whether a host is this machine, seen from itself. */
export function isLoopback(host: string): boolean {
  return /^127\.\d+\.\d+\.\d+$/.test(host);
}
