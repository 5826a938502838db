import { chmod } from 'node:fs/promises';
import type { ContainerSpec } from '@forgejo-runner/core';
import { callContext, openTempFolder, type TempFolder, type TestContext } from '@forgejo-runner/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type DockerEndpoint, openDockerEndpoint } from '../src/driver/endpoint.ts';
import { type ImageSource, imageSource } from '../src/driver/image-source.ts';
import { docker, hasEngine, newName, socketPath } from './docker-fixture.ts';
import { startRegistry, type TestRegistry } from './registry-fixture.ts';

const login = { username: 'ci', password: 'right-one' };
let open: TestRegistry;
let closed: TestRegistry;
let endpoint: DockerEndpoint;
let folder: TempFolder;
const pulled = new Set<string>();

function source(config: Parameters<typeof imageSource>[1]['config'] = {} as never): ImageSource {
  return imageSource(endpoint, {
    request: { name: newName(), owner: { runner: `runner-${newName()}`, boot: 'b' } },
    stateDir: folder.join('state'),
    ...(config === undefined ? {} : { config }),
  });
}

type Pull = Pick<ContainerSpec, 'image' | 'pull' | 'credentials' | 'options'>;

/** Has an image provided, and says what of it is there. */
async function provide(images: ImageSource, image: string, rest: Partial<Pull> = {}, ctx: TestContext = callContext()) {
  pulled.add(image);
  const { config, ...provided } = await images.provide({ image, pull: 'missing', options: {}, ...rest }, ctx);
  const content = config.env.find((entry) => entry.startsWith('CONTENT='))?.slice('CONTENT='.length);
  return { ...provided, content, platform: `${config.os}/${config.architecture}` };
}

let count = 0;

/** An image that no engine has yet. */
async function fresh(
  registry: TestRegistry,
  rest: { readonly content?: string; readonly platforms?: readonly string[] } = {},
): Promise<string> {
  count += 1;
  const name = `app-${process.pid}-${count}:1`;
  await registry.put(name, { content: name, ...rest });
  return `${registry.host}/${name}`;
}

const manifests = (registry: TestRegistry): readonly string[] =>
  registry.asked().filter((line) => line.includes('/manifests/'));

describe.skipIf(!hasEngine)('images', () => {
  beforeAll(async () => {
    [open, closed] = await Promise.all([startRegistry(), startRegistry({ login })]);
    endpoint = await openDockerEndpoint(
      { address: `unix://${socketPath}`, binds: 'target-paths', publishedHost: '127.0.0.1' },
      callContext(),
    );
  });
  afterAll(async () => {
    for (const one of [open, closed, endpoint]) await one[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    folder = await openTempFolder();
    vi.stubEnv('DOCKER_CONFIG', folder.join('docker'));
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    for (const image of pulled) {
      try {
        docker('rmi', '-f', image);
      } catch {
        // It was not there.
      }
    }
    pulled.clear();
    await folder[Symbol.asyncDispose]();
  });

  it('are pulled once where they are missing, and the log says so', async () => {
    const image = await fresh(open);
    const ctx = callContext();
    const found = await provide(source(), image, {}, ctx);
    expect(found).toMatchObject({ name: image, content: image.slice(open.host.length + 1), platform: 'linux/amd64' });
    expect(found.id).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(ctx.progressed.text()).toMatch(new RegExp(`^pulling ${image}\npulled ${image} in [\\d.]+ s\n$`));
    expect(ctx.events).toMatchObject([{ type: 'image.pull', attributes: { image } }]);
    open.asked();
    const again = callContext();
    expect((await provide(source(), image, {}, again)).id).toBe(found.id);
    expect([open.asked(), again.progressed.text()]).toEqual([[], '']);
  });

  it('are pulled anew each time by "always", and never by "never"', async () => {
    const image = await fresh(open);
    await expect(provide(source(), image, { pull: 'never' })).rejects.toMatchObject({
      code: 'image',
      message: `expected image "${image}" in the engine, found none, and it is never pulled`,
    });
    expect(open.asked()).toEqual([]);
    const first = await provide(source(), image);
    await open.put(image.slice(open.host.length + 1), { content: 'newer' });
    expect((await provide(source(), image, { pull: 'never' })).id).toBe(first.id);
    expect(await provide(source(), image, { pull: 'always' })).toMatchObject({ content: 'newer' });
  });

  it('are pulled anew when they are too old, and used as they are where that fails', async () => {
    const image = await fresh(open);
    const hour = { pull_max_age_hours: 1 } as never;
    await provide(source(hour), image);
    open.asked();
    await provide(source(hour), image);
    expect(open.asked()).toEqual([]);
    // The record of the pull is two hours old.
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 2 * 3_600_000 });
    try {
      await open.put(image.slice(open.host.length + 1), { content: 'newer' });
      expect(await provide(source(hour), image)).toMatchObject({ content: 'newer' });
      await expect(provide(source(), image)).resolves.toMatchObject({ content: 'newer' });
      vi.setSystemTime(Date.now() + 2 * 3_600_000);
      const own = `forgejo-runner-jobs-test/own-${process.pid}:1`;
      docker('tag', image, own);
      const ctx = callContext();
      expect(await provide(source(hour), own, {}, ctx)).toMatchObject({ content: 'newer' });
      expect(ctx.progressed.text()).toContain(`cannot pull ${own}, so the one that is there is used`);
    } finally {
      vi.useRealTimers();
    }
  });

  it('that do not exist are told from those that nobody may have', async () => {
    for (const name of [`${open.host}/nothing:1`, (await fresh(open)).replace(/:1$/, ':2')]) {
      await expect(provide(source(), name)).rejects.toMatchObject({
        code: 'image',
        details: { hint: expect.stringContaining('name or tag') },
      });
    }
    const image = await fresh(closed);
    await expect(provide(source(), image)).rejects.toMatchObject({
      code: 'auth',
      message: expect.stringContaining(`${closed.host} does not hand out image "${image}" without credentials`),
    });
    await expect(provide(source(), 'Not An Image')).rejects.toMatchObject({ code: 'plan' });
  });

  it('come with the credentials of the workflow, which no log shows', async () => {
    const image = await fresh(closed);
    const ctx = callContext();
    expect(await provide(source(), image, { credentials: login }, ctx)).toMatchObject({ name: image });
    const other = await fresh(closed);
    const wrong = provide(source(), other, { credentials: { username: 'ci', password: 'wrong-one' } }, ctx);
    await expect(wrong).rejects.toMatchObject({
      code: 'auth',
      details: { hint: expect.stringContaining('"credentials" of the container') },
    });
    const shown = JSON.stringify([ctx.logged, ctx.events, ctx.progressed.text(), await wrong.catch(String)]);
    expect(shown).not.toMatch(/right-one|wrong-one/);
  });

  it('come with the login of the administrator', async () => {
    const auth = Buffer.from(`${login.username}:${login.password}`).toString('base64');
    await folder.write({ 'docker/config.json': JSON.stringify({ auths: { [closed.host]: { auth } } }) });
    expect(await provide(source(), await fresh(closed))).toMatchObject({ platform: 'linux/amd64' });
  });

  it('come with the login that a helper has', async () => {
    await folder.write({
      'docker/config.json': JSON.stringify({ credHelpers: { [closed.host]: 'ours' } }),
      'bin/docker-credential-ours': `#!/bin/sh\nread -r server\n[ "$server" = "${closed.host}" ] || exit 1\necho '${JSON.stringify({ Username: login.username, Secret: login.password })}'\n`,
    });
    await chmod(folder.join('bin/docker-credential-ours'), 0o755);
    vi.stubEnv('PATH', `${folder.join('bin')}:${process.env['PATH']}`);
    expect(await provide(source(), await fresh(closed))).toMatchObject({ platform: 'linux/amd64' });
  });

  it('for everybody come also with a login that is out of date', async () => {
    const auth = Buffer.from('ci:outdated').toString('base64');
    await folder.write({
      'docker/config.json': JSON.stringify({ auths: { [closed.host]: { auth }, [open.host]: { auth } } }),
    });
    expect(await provide(source(), await fresh(open))).toMatchObject({ platform: 'linux/amd64' });
    const ctx = callContext();
    await expect(provide(source(), await fresh(closed), {}, ctx)).rejects.toMatchObject({
      code: 'auth',
      message: expect.stringContaining('with the login of the runner'),
    });
    expect(ctx.logged).toMatchObject([
      { level: 'warn', message: expect.stringContaining('refuses the login of the runner') },
    ]);
  });

  it('of another platform are pulled where that is asked for, and again for the engine', async () => {
    const image = await fresh(open, { platforms: ['linux/amd64', 'linux/arm64'] });
    const arm = { options: { platform: 'linux/arm64' } };
    const ctx = callContext();
    expect(await provide(source(), image, arm, ctx)).toMatchObject({ platform: 'linux/arm64' });
    expect(ctx.progressed.text()).toContain(
      `image ${image} is for linux/arm64 and the engine for linux/amd64: it needs emulation`,
    );
    expect(await provide(source(), image)).toMatchObject({ platform: 'linux/amd64' });
    await provide(source(), image, arm);
    await expect(
      provide(source(), image, { options: { platform: 'linux/amd64' }, pull: 'never' }),
    ).rejects.toMatchObject({
      code: 'image',
      message: `expected image "${image}" for linux/amd64, found it for linux/arm64`,
    });
  });

  it('that are made for other platforms only are refused by name', async () => {
    const image = await fresh(open, { platforms: ['linux/arm64'] });
    await expect(provide(source(), image, { options: { platform: 'linux/s390x' } })).rejects.toMatchObject({
      code: 'image',
      message: expect.stringContaining(`image "${image}" for linux/s390x`),
      details: { hint: expect.stringContaining('linux/s390x') },
    });
  });

  it('of a registry that does not answer are worth another try', async () => {
    await using gone = await startRegistry();
    const image = await fresh(gone);
    await gone.stop();
    await expect(provide(source(), image)).rejects.toMatchObject({
      code: 'image',
      details: { retryable: true, hint: expect.stringContaining(gone.host) },
    });
  });

  it('are not waited for when the job is cancelled', async () => {
    const stop = new AbortController();
    const pulling = provide(source(), await fresh(open), {}, callContext(stop.signal));
    stop.abort();
    await expect(pulling).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('are found by name and digest', async () => {
    const image = await fresh(open);
    await provide(source(), image);
    const digest = docker('inspect', '-f', '{{index .RepoDigests 0}}', image);
    docker('rmi', '-f', image);
    expect(await provide(source({ pull_max_age_hours: 0.001 } as never), digest)).toMatchObject({ name: digest });
    manifests(open);
    await provide(source({ pull_max_age_hours: 0.001 } as never), digest);
    expect(open.asked()).toEqual([]);
  });
});
