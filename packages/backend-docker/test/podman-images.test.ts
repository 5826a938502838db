import { existsSync } from 'node:fs';
import { cp, mkdir, rm } from 'node:fs/promises';
import { callContext, openTempFolder, type TempFolder } from '@forgejo-runner/testkit';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type DockerEndpoint, openDockerEndpoint } from '../src/driver/endpoint.ts';
import { imageSource, type ImageSource } from '../src/driver/image-source.ts';
import { newName } from './docker-fixture.ts';
import { startRegistry, type TestRegistry } from './registry-fixture.ts';

const socket = (process.env['FORGEJO_RUNNER_TEST_PODMAN'] ?? 'unix:///run/podman/podman.sock').slice('unix://'.length);
// Only root can have podman trust a registry.
const hasPodman = process.env['CI'] !== undefined || (process.getuid?.() === 0 && existsSync(socket));
const login = { username: 'ci', password: 'right-one' };
let registry: TestRegistry;
let trusted: string;
let endpoint: DockerEndpoint;
let folder: TempFolder;

function source(): ImageSource {
  const request = { name: newName(), owner: { runner: `runner-${newName()}`, boot: 'b' } };
  return imageSource(endpoint, { request, stateDir: folder.join('state') });
}

async function fresh(platforms = ['linux/amd64']): Promise<string> {
  const name = `${newName()}:1`;
  await registry.put(name, { content: name, platforms });
  return `${registry.host}/${name}`;
}

describe.runIf(hasPodman)('images of a private registry, on podman', () => {
  beforeAll(async () => {
    folder = await openTempFolder();
    vi.stubEnv('DOCKER_CONFIG', folder.join('docker'));
    registry = await startRegistry({ login, hasTls: true });
    trusted = `/etc/containers/certs.d/${registry.host}`;
    await mkdir(trusted, { recursive: true });
    await cp(registry.certificate, `${trusted}/ca.crt`);
    endpoint = await openDockerEndpoint(
      { address: `unix://${socket}`, binds: 'target-paths', publishedHost: '127.0.0.1' },
      callContext(),
    );
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await rm(trusted, { recursive: true });
    for (const one of [endpoint, registry, folder]) await one[Symbol.asyncDispose]();
  });

  const provide = async (image: string, rest: object = {}, ctx = callContext()): Promise<string | undefined> => {
    const { config } = await source().provide({ image, pull: 'missing', options: {}, ...rest }, ctx);
    await endpoint.client.getImage(image).remove({ force: true });
    return config.env.find((entry) => entry.startsWith('CONTENT='))?.slice('CONTENT='.length);
  };

  it('come with the credentials of the workflow, which no log shows', async () => {
    const image = await fresh();
    const ctx = callContext();
    expect(await provide(image, { credentials: login }, ctx)).toBe(image.slice(registry.host.length + 1));
    const wrong = provide(await fresh(), { credentials: { ...login, password: 'wrong-one' } }, ctx);
    await expect(wrong).rejects.toMatchObject({
      code: 'auth',
      details: { hint: expect.stringContaining('"credentials" of the container') },
    });
    const shown = JSON.stringify([ctx.logged, ctx.events, ctx.progressed.text(), await wrong.catch(String)]);
    expect(shown).not.toMatch(/right-one|wrong-one/);
  });

  it('come with the login of the administrator, and not without one', async () => {
    await expect(provide(await fresh())).rejects.toMatchObject({
      code: 'auth',
      message: expect.stringContaining('without credentials'),
    });
    const auth = Buffer.from(`${login.username}:${login.password}`).toString('base64');
    await folder.write({ 'docker/config.json': JSON.stringify({ auths: { [registry.host]: { auth } } }) });
    const image = await fresh();
    expect(await provide(image)).toBe(image.slice(registry.host.length + 1));
  });

  it('that do not exist, or not for a platform, are told from those that nobody may have', async () => {
    const missing = (await fresh()).replace(/:1$/, ':2');
    await expect(provide(missing, { credentials: login })).rejects.toMatchObject({
      code: 'image',
      details: { hint: expect.stringContaining('name or tag') },
    });
    const other = provide(await fresh(['linux/arm64']), { credentials: login, options: { platform: 'linux/s390x' } });
    await expect(other).rejects.toMatchObject({
      code: 'image',
      details: { hint: expect.stringContaining('linux/s390x') },
    });
  });
});
