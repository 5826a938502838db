import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer as createHttpServer, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import {
  BackendError,
  type Container,
  type DockerEndpointDescriptor,
  type ExecutionEnvironment,
  type JobContainerSpec,
} from '@forgejo-runner/core';
import { type ConformanceOptions, referenceBackend, referenceCapabilities, type TempFolder } from '../src/index.ts';
import { changed } from './mutants.ts';

const credentials = { username: 'somebody', password: 'the-right-password' };
const privateImage = 'registry.test/private:1';

/** What a backend with images does differently. */
export interface RegistryFaults {
  readonly takesAnyPassword?: boolean;
  readonly logsPassword?: boolean;
}

/** The reference backend with images: a registry that asks for a password, and nothing else in it. */
export function registrySubject(faults: RegistryFaults = {}): ConformanceOptions {
  const native = { via: 'native', job: true, services: false, steps: false, build: false, fields: [] } as const;
  const { factory } = referenceBackend({ capabilities: { containers: native } });
  const options = {
    factory,
    label: 'test:reference',
    isRegistered: false,
    images: { private: { image: privateImage, credentials } },
  };
  return changed(options, {
    environment: ({ createJobContainer }) => ({
      createJobContainer: async (spec, ctx): Promise<Container> => {
        if (faults.logsPassword === true) ctx.log.debug('pulling', { as: spec.credentials });
        checkImage(spec, faults);
        if (createJobContainer === undefined) throw new Error('expected a method of the reference backend');
        return createJobContainer(spec, ctx);
      },
    }),
  });
}

function checkImage({ image, credentials: given }: JobContainerSpec, { takesAnyPassword }: RegistryFaults): void {
  if (/[A-Z ]/.test(image)) throw new BackendError('plan', `expected the name of an image, found "${image}"`);
  if (image !== privateImage) throw new BackendError('image', `expected image "${image}", found none`);
  if (takesAnyPassword === true || given?.password === credentials.password) return;
  throw new BackendError('auth', 'expected a password that the registry takes, found another');
}

/** What a backend with endpoints does differently. */
export interface EndpointFaults {
  readonly staysAfterRemove?: boolean;
  readonly sharesKeys?: boolean;
}

/** The reference backend as one with an engine in each environment, which answers pings and nothing else. */
export function endpointSubject(
  folder: TempFolder,
  faults: EndpointFaults & { readonly hasTls?: boolean },
): ConformanceOptions {
  const capabilities = {
    ...referenceCapabilities,
    containers: { via: 'docker-endpoint' } as const,
    isolation: 'container',
  };
  const { factory } = referenceBackend({ capabilities });
  const engines = new Map<string, Promise<Engine>>();
  let count = 0;
  const engineOf = ({ name }: ExecutionEnvironment): Promise<Engine> => {
    count += 1;
    const made = engines.get(name) ?? startEngine(folder, { name: `${count}`, ...faults });
    engines.set(name, made);
    return made;
  };
  return changed(
    { factory, label: 'test:reference', isRegistered: false },
    {
      environment: (environment) => ({
        dockerEndpoint: async () => (await engineOf(environment)).endpoint,
        remove: async (ctx) => {
          if (faults.staysAfterRemove !== true) await (await engines.get(environment.name))?.stop();
          return environment.remove(ctx);
        },
      }),
    },
  );
}

interface Engine {
  readonly endpoint: DockerEndpointDescriptor;
  readonly stop: () => Promise<void>;
}

interface EngineSettings extends EndpointFaults {
  readonly name: string;
  readonly hasTls?: boolean;
}

async function startEngine(folder: TempFolder, { name, hasTls, sharesKeys }: EngineSettings): Promise<Engine> {
  const common = { binds: 'target-paths', publishedHost: '127.0.0.1' } as const;
  if (hasTls !== true) {
    const server = createHttpServer((_, response) => void response.end('OK'));
    const socket = folder.join(`${name}.sock`);
    server.listen(socket);
    await once(server, 'listening');
    return { endpoint: { ...common, address: `unix://${socket}` }, stop: () => close(server) };
  }
  const keys = makeKeys(folder.path, sharesKeys === true ? 'shared' : name);
  const settings = { ca: keys.ca, cert: keys.cert, key: keys.key, requestCert: true, rejectUnauthorized: true };
  const server = createHttpsServer(settings, (_, response) => void response.end('OK'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A server that listens at a port has such an address.
  const { port } = server.address() as AddressInfo;
  const tls = { ...keys, serverName: 'engine.test' };
  return { endpoint: { ...common, address: `tcp://127.0.0.1:${port}`, tls }, stop: () => close(server) };
}

/** One certificate that is its own authority, for both ends: whoever has another one is refused. */
function makeKeys(folder: string, name: string): { readonly ca: Buffer; readonly cert: Buffer; readonly key: Buffer } {
  const [key, cert] = [join(folder, `${name}.key`), join(folder, `${name}.crt`)];
  const subject = ['-subj', '/CN=engine.test', '-addext', 'subjectAltName=DNS:engine.test'];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  const made = ['req', '-x509', '-nodes', '-days', '1', ...curve, ...subject, '-keyout', key, '-out', cert];
  if (!existsSync(cert)) execFileSync('openssl', made, { stdio: 'ignore' });
  return { ca: readFileSync(cert), cert: readFileSync(cert), key: readFileSync(key) };
}

async function close(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}

/** What a backend with a plugin does differently. */
export interface PluginFaults {
  readonly callsLostSuccess?: boolean;
  readonly neverComesBack?: boolean;
}

/** The reference backend as one whose environments are in a plugin: they end with it. */
export function pluginSubject(faults: PluginFaults = {}): ConformanceOptions {
  const reference = referenceBackend();
  let wasKilled = false;
  const plugin = {
    kill: async () => {
      wasKilled = true;
      for (const name of reference.environments()) await reference.endEnvironment(name);
    },
    restart: async () => {},
  };
  return changed(
    { factory: reference.factory, label: 'test:reference', isRegistered: false, plugin },
    {
      exec: (exec) => (request, ctx) => {
        const handle = exec(request, ctx);
        if (faults.callsLostSuccess !== true) return handle;
        return { ...handle, result: handle.result.catch(() => ({ kind: 'exited', code: 0 })) };
      },
      backend: (backend) => ({
        createEnvironment: async (request, ctx) => {
          if (wasKilled && faults.neverComesBack === true) throw new BackendError('unavailable', 'connection refused');
          return backend.createEnvironment(request, ctx);
        },
      }),
    },
  );
}
