import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';

/** An address that is listened at, for as long as this is not disposed. */
export interface Listening extends AsyncDisposable {
  readonly port: number;
}

interface Open {
  readonly server: Promise<Server>;
  users: number;
}

/**
 * Listens only where a job is: on a machine whose jobs run on itself that is the loopback, with containers the gateway of
 * a job's network, and on all addresses only for jobs that come from elsewhere. Nobody else sees that there is a server.
 */
export class Listeners implements AsyncDisposable {
  readonly #open = new Map<string, Open>();
  readonly #make: () => Server;
  readonly #port: number;

  constructor(make: () => Server, port: number) {
    this.#make = make;
    this.#port = port;
  }

  /** Listens so that `address` is reached. */
  async reach(address: string): Promise<Listening> {
    return this.listen(isOwn(address) ? address : '::');
  }

  /** Listens at an address of this machine. @throws Error of the system, such as `EADDRINUSE`. */
  async listen(host: string): Promise<Listening> {
    let open = this.#open.get(host);
    if (open === undefined) {
      open = { server: listen(this.#make(), host, this.#port), users: 0 };
      this.#open.set(host, open);
    }
    open.users += 1;
    let server: Server;
    try {
      server = await open.server;
    } catch (error) {
      if (this.#open.get(host) === open) this.#open.delete(host);
      throw error;
    }
    let isReleased = false;
    return {
      // A server that listens on TCP has such an address.
      port: (server.address() as AddressInfo).port,
      [Symbol.asyncDispose]: async () => {
        if (isReleased) return;
        isReleased = true;
        open.users -= 1;
        if (open.users > 0) return;
        this.#open.delete(host);
        await close(server);
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const open = [...this.#open.values()];
    this.#open.clear();
    for (const { server } of open) await server.then(close, () => undefined);
  }
}

function isOwn(address: string): boolean {
  if (address.startsWith('127.')) return true;
  return Object.values(networkInterfaces()).some((all) => all?.some((one) => one.address === address) === true);
}

async function listen(server: Server, host: string, port: number): Promise<Server> {
  try {
    server.listen({ host, port });
    await once(server, 'listening');
  } catch (error) {
    // A machine without IPv6 has no address for both.
    if (host !== '::' || (error as NodeJS.ErrnoException).code !== 'EAFNOSUPPORT') throw error;
    server.listen({ host: '0.0.0.0', port });
    await once(server, 'listening');
  }
  return server;
}

async function close(server: Server): Promise<void> {
  const closed = Promise.withResolvers<void>();
  server.close(() => closed.resolve());
  server.closeAllConnections();
  await closed.promise;
}
