import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { callContext, openTempFolder, type TempFolder } from '@forgejo-runner/testkit';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openConfiguredEndpoint } from './open-endpoint.ts';

const version = {
  Version: '28.0.1',
  ApiVersion: '1.48',
  MinAPIVersion: '1.24',
  Os: 'linux',
  Arch: 'amd64',
  Components: [],
};

let folder: TempFolder;
const servers: Server[] = [];

async function engine(name: string): Promise<string> {
  const server = createServer((_request, response) => void response.end(JSON.stringify(version)));
  servers.push(server);
  const path = folder.join(name);
  await new Promise<void>((resolve) => void server.listen(path, resolve));
  return path;
}

beforeEach(async () => {
  folder = await openTempFolder();
  await folder.write({ 'home/.docker/.keep': '' });
  for (const name of ['DOCKER_HOST', 'DOCKER_CONTEXT', 'DOCKER_CONFIG', 'DOCKER_CERT_PATH', 'DOCKER_TLS_VERIFY'])
    vi.stubEnv(name, undefined);
  vi.stubEnv('HOME', folder.join('home'));
  vi.stubEnv('XDG_RUNTIME_DIR', folder.join('run'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
  await folder[Symbol.asyncDispose]();
});

async function context(name: string, meta: unknown): Promise<void> {
  const hash = createHash('sha256').update(name).digest('hex');
  await folder.write({ [`home/.docker/contexts/meta/${hash}/meta.json`]: JSON.stringify(meta) });
}

describe('the engine of a backend', () => {
  it('is the configured one, whatever the variables say', async () => {
    const path = await engine('a.sock');
    vi.stubEnv('DOCKER_HOST', 'unix:///no/such');
    const ctx = callContext();
    await using endpoint = await openConfiguredEndpoint(`unix://${path}`, ctx);
    expect(endpoint.descriptor).toMatchObject({
      address: `unix://${path}`,
      binds: 'target-paths',
      socketInTarget: path,
    });
    expect(ctx.logged).toMatchObject([
      { level: 'info', message: `the engine is docker 28.0.1 at unix://${path}, API 1.48` },
    ]);
  });

  it('is else that of DOCKER_HOST', async () => {
    const path = await engine('a.sock');
    vi.stubEnv('DOCKER_HOST', `unix://${path}`);
    await context('other', { Endpoints: { docker: { Host: 'unix:///no/such' } } });
    vi.stubEnv('DOCKER_CONTEXT', 'other');
    await using endpoint = await openConfiguredEndpoint(undefined, callContext());
    expect(endpoint.descriptor.address).toBe(`unix://${path}`);
  });

  it('is else that of the context of Docker', async () => {
    const path = await engine('a.sock');
    await context('mine', { Name: 'mine', Endpoints: { docker: { Host: `unix://${path}` } } });
    await folder.write({ 'home/.docker/config.json': JSON.stringify({ currentContext: 'mine' }) });
    await using endpoint = await openConfiguredEndpoint(undefined, callContext());
    expect(endpoint.descriptor.address).toBe(`unix://${path}`);
    vi.stubEnv('DOCKER_CONTEXT', 'gone');
    await expect(openConfiguredEndpoint(undefined, callContext())).rejects.toMatchObject({
      code: 'config',
      message: expect.stringContaining('expected the Docker context "gone"'),
    });
  });

  it('is not replaced by another one when the named one does not answer', async () => {
    for (const [host, from] of [
      [undefined, 'DOCKER_HOST'],
      ['unix:///no/such.sock', 'the key "endpoint"'],
    ] as const) {
      vi.stubEnv('DOCKER_HOST', 'unix:///no/such.sock');
      await expect(openConfiguredEndpoint(host, callContext())).rejects.toMatchObject({
        code: 'unavailable',
        message: expect.stringContaining(`no engine at unix:///no/such.sock, which ${from} names`),
      });
    }
  });

  it.each(['http://host', 'host', 'tcp://', 'tcp://host:2375/path', 'unix://', 'ssh://-evil', ''])(
    'cannot be at %j',
    async (address) => {
      await expect(openConfiguredEndpoint({ address }, callContext())).rejects.toMatchObject({ code: 'config' });
    },
  );

  it('tells all files for TLS that cannot be read', async () => {
    const tls = { ca: folder.join('ca'), cert: folder.join('cert'), key: folder.join('key') };
    await expect(openConfiguredEndpoint({ address: 'tcp://127.0.0.1:1', tls }, callContext())).rejects.toMatchObject({
      code: 'config',
      message: expect.stringMatching(/ca".*cert".*key"/),
    });
    vi.stubEnv('DOCKER_HOST', 'tcp://127.0.0.1:1');
    vi.stubEnv('DOCKER_TLS_VERIFY', '1');
    await expect(openConfiguredEndpoint(undefined, callContext())).rejects.toThrow(folder.join('home/.docker/ca.pem'));
    vi.stubEnv('DOCKER_CERT_PATH', '/no/certs');
    await expect(openConfiguredEndpoint(undefined, callContext())).rejects.toThrow('/no/certs/ca.pem');
  });
});
