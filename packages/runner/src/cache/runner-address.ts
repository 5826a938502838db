import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';

/** For documentation only: nobody has it, and no packet is sent to it. Source: RFC 5737. */
const anywhere = '192.0.2.1';

/**
 * The address of this machine that others reach it at: the one that it uses for what is in none of its networks. On a
 * machine without such a way it is the first address that is not the loopback's, such as that of a bridge for containers.
 */
export async function outwardAddress(): Promise<string> {
  return (await addressTowards(anywhere)) ?? firstAddress() ?? '127.0.0.1';
}

async function addressTowards(host: string): Promise<string | undefined> {
  const socket = createSocket('udp4');
  try {
    socket.connect(9, host);
    await Promise.race([
      once(socket, 'connect'),
      once(socket, 'error').then(([error]) => Promise.reject(error as Error)),
    ]);
    const { address } = socket.address();
    return /^(?:0\.0\.0\.0|::1?|127\.)/.test(address) ? undefined : address;
  } catch {
    return undefined;
  } finally {
    socket.close();
  }
}

function firstAddress(): string | undefined {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ internal, family }) => !internal && family === 'IPv4')?.address;
}

/** A host as it stands in an address. */
export function inUrl(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
}
