import { createServer, type Server } from 'node:http';
import { callContext, openTempFolder, type TempFolder } from '@forgejo-runner/testkit';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openDockerEndpoint } from './endpoint.ts';

const docker = {
  Version: '28.0.1',
  ApiVersion: '1.48',
  MinAPIVersion: '1.24',
  Os: 'linux',
  Arch: 'amd64',
  Components: [{ Name: 'Engine' }],
};
const info = {
  SecurityOptions: ['name=seccomp,profile=default', 'name=rootless'],
  CgroupVersion: '2',
  NCPU: 4,
  MemTotal: 8e9,
};

let folder: TempFolder;
const servers: Server[] = [];

/** An engine that answers what it is told to, and counts what it is asked. */
async function engine(
  version: object | 'silent',
  name = 'e.sock',
): Promise<{ readonly address: `unix://${string}`; readonly asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    if (version === 'silent') return;
    response.end(JSON.stringify(request.url?.endsWith('/info') ? info : version));
  });
  servers.push(server);
  const path = folder.join(name);
  await new Promise<void>((resolve) => void server.listen(path, resolve));
  return { address: `unix://${path}`, asked };
}

const descriptor = (address: `unix://${string}`) =>
  ({ address, binds: 'target-paths', publishedHost: '127.0.0.1' }) as const;

beforeEach(async () => {
  folder = await openTempFolder();
});
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
  await folder[Symbol.asyncDispose]();
});

describe('an endpoint', () => {
  it('knows what its engine is, and speaks the version that both know', async () => {
    const { address, asked } = await engine(docker);
    await using endpoint = await openDockerEndpoint(descriptor(address), callContext());
    expect(endpoint.facts).toEqual({
      kind: 'docker',
      version: '28.0.1',
      apiVersion: '1.48',
      os: 'linux',
      arch: 'amd64',
      isRootless: true,
      cgroupVersion: '2',
      cpus: 4,
      memoryBytes: 8e9,
    });
    await endpoint.client.listContainers();
    expect(asked).toEqual(['/version', '/info', '/v1.48/containers/json']);
  });

  it('is asked once by all who share it, and again when nobody held it', async () => {
    const { address, asked } = await engine(docker);
    const open = () => openDockerEndpoint(descriptor(address), callContext());
    const all = await Promise.all([open(), open(), open()]);
    await all[0]?.[Symbol.asyncDispose]();
    await all[0]?.[Symbol.asyncDispose]();
    await using _more = await open();
    expect(asked).toHaveLength(2);
    for (const endpoint of all) await endpoint[Symbol.asyncDispose]();
    await _more[Symbol.asyncDispose]();
    await using _again = await open();
    expect(asked).toHaveLength(4);
  });

  it('recognises podman by what it is made of', async () => {
    const { address } = await engine({ ...docker, Components: [{ Name: 'Podman Engine' }], ApiVersion: '1.41' });
    await using endpoint = await openDockerEndpoint(descriptor(address), callContext());
    expect(endpoint.facts).toMatchObject({ kind: 'podman', apiVersion: '1.41' });
  });

  it('speaks no later version than it knows', async () => {
    const { address } = await engine({ ...docker, ApiVersion: '1.99', MinAPIVersion: '1.44' });
    await using endpoint = await openDockerEndpoint(descriptor(address), callContext());
    expect(endpoint.facts.apiVersion).toBe('1.51');
  });

  it.each([
    [{ ...docker, ApiVersion: '1.40' }, 'expected API version 1.41 to 1.51 of the engine at', 'found 1.40'],
    [
      { ...docker, ApiVersion: '1.99', MinAPIVersion: '1.90' },
      'expected API version 1.41 to 1.51',
      'found 1.90 and later',
    ],
    [{}, 'expected a Docker-compatible engine at', 'found something else'],
    [[], 'expected a Docker-compatible engine at', 'found something else'],
  ])('refuses %j', async (version, expected, found) => {
    const { address } = await engine(version);
    const opening = openDockerEndpoint(descriptor(address), callContext());
    await expect(opening).rejects.toMatchObject({ code: 'unsupported', message: expect.stringContaining(expected) });
    await expect(opening).rejects.toThrow(found);
  });

  it('is unavailable where nobody listens, and tried anew the next time', async () => {
    const path = folder.join('late.sock');
    await expect(openDockerEndpoint(descriptor(`unix://${path}`), callContext())).rejects.toMatchObject({
      code: 'unavailable',
    });
    await engine(docker, 'late.sock');
    await using endpoint = await openDockerEndpoint(descriptor(`unix://${path}`), callContext());
    expect(endpoint.facts.kind).toBe('docker');
  });

  it('that one caller gives up is still there for another', async () => {
    const { address } = await engine('silent');
    const stop = new AbortController();
    const first = openDockerEndpoint(descriptor(address), callContext(stop.signal));
    const stopOther = new AbortController();
    const other = openDockerEndpoint(descriptor(address), callContext(stopOther.signal));
    stop.abort();
    await expect(first).rejects.toMatchObject({ code: 'cancelled' });
    const pending = Symbol('pending');
    expect(await Promise.race([other.catch(() => 'failed'), Promise.resolve(pending)])).toBe(pending);
    stopOther.abort();
    await expect(other).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('has nothing of the variables of Docker', async () => {
    const { address } = await engine(docker);
    for (const [name, value] of [
      ['DOCKER_HOST', 'tcp://192.0.2.1:1'],
      ['DOCKER_CERT_PATH', '/no/such'],
      ['DOCKER_TLS_VERIFY', '1'],
    ] as const)
      vi.stubEnv(name, value);
    await using endpoint = await openDockerEndpoint(descriptor(address), callContext());
    expect(endpoint.facts.kind).toBe('docker');
    expect(process.env['DOCKER_HOST']).toBe('tcp://192.0.2.1:1');
  });
});
