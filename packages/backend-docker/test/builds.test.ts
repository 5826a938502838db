import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { callContext, captureOutput, openTempFolder, type TempFolder, type TestContext } from '@forgejo-runner/testkit';
import { pack } from 'tar-stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type DockerEndpoint, openDockerEndpoint } from '../src/driver/endpoint.ts';
import { imageSource } from '../src/driver/image-source.ts';
import { hasEngine, newName, socketPath } from './docker-fixture.ts';
import { startRegistry } from './registry-fixture.ts';

/** As the backend labels what it builds. */
const contentLabel = 'org.forgejo.runner.content';
const busybox = readFileSync('/bin/busybox');
const podman = (process.env['FORGEJO_RUNNER_TEST_PODMAN'] ?? 'unix:///run/podman/podman.sock').slice('unix://'.length);

type Files = Readonly<Record<string, string | Uint8Array>>;

async function* tar(files: Files): AsyncGenerator<Uint8Array> {
  const archive = pack();
  for (const [name, content] of Object.entries(files))
    archive.entry({ name, mode: 0o755, mtime: new Date() }, Buffer.from(content as Uint8Array));
  archive.finalize();
  yield* archive as AsyncIterable<Uint8Array>;
}

const action: Files = {
  Dockerfile:
    'FROM scratch\nARG WHAT=nothing\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "echo", "built inside"]\nENV IS=$WHAT\n',
  busybox,
};

describe.skipIf(!hasEngine).each([
  ['docker', socketPath],
  ['podman', podman],
])('images that %s builds', (engine, socket) => {
  const owner = { runner: `runner-${newName()}`, boot: 'b' };
  let endpoint: DockerEndpoint;
  let folder: TempFolder;

  const client = (...args: readonly string[]): string =>
    execFileSync('docker', ['-H', `unix://${socket}`, ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 60_000,
    }).trim();

  function ours(): readonly string[] {
    return client('images', '-q', '--no-trunc', '--filter', `label=org.forgejo.runner.runner=${owner.runner}`)
      .split('\n')
      .filter(Boolean);
  }

  async function build(
    files: Files,
    rest: { readonly args?: Record<string, string>; readonly force?: boolean; readonly dockerfile?: string } = {},
    ctx: TestContext = callContext(),
  ) {
    const images = imageSource(endpoint, {
      request: { name: newName(), owner },
      stateDir: folder.join('state'),
      config: { force_rebuild: rest.force === true },
    });
    const output = captureOutput();
    const { image } = await images.build(
      {
        context: tar(files),
        dockerfile: rest.dockerfile ?? 'Dockerfile',
        tag: 'forgejo-runner-action:test',
        buildArgs: rest.args ?? {},
        output: output.sink,
      },
      ctx,
    );
    return { image, log: output.text(), images };
  }

  beforeAll(async () => {
    endpoint = await openDockerEndpoint(
      { address: `unix://${socket}`, binds: 'target-paths', publishedHost: '127.0.0.1' },
      callContext(),
    );
    if (endpoint.facts.kind !== engine) throw new Error(`expected ${engine}, found ${endpoint.facts.kind}`);
  });
  afterAll(async () => {
    for (const image of new Set(ours())) client('rmi', '-f', image);
    await endpoint[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    folder = await openTempFolder();
    vi.stubEnv('DOCKER_CONFIG', folder.join('docker'));
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await folder[Symbol.asyncDispose]();
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith('forgejo-runner-build-'))).toEqual([]);
  });

  it('come from a Dockerfile, say how it went, and carry our label', async () => {
    const { image, log, images } = await build(action, { args: { WHAT: 'built' } });
    expect(image).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(log).toMatch(/STEP|Step/);
    expect(log).toContain('built inside');
    expect(client('inspect', '-f', '{{index .Config.Labels "org.forgejo.runner.runner"}}', image)).toBe(owner.runner);
    const provided = await images.provide({ image, pull: 'never', options: {} }, callContext());
    expect(provided.config.env).toContain('IS=built');
  });

  it('are built once from the same files', async () => {
    const first = await build(action, { args: { WHAT: 'once' } });
    const again = await build(action, { args: { WHAT: 'once' } });
    expect(again).toMatchObject({ image: first.image, log: expect.stringContaining('built before') });
    const other = await build({ ...action, more: 'x' }, { args: { WHAT: 'once' } });
    expect(other.log).not.toContain('built before');
    const forced = await build(action, { args: { WHAT: 'once' }, force: true });
    expect(forced.log).toContain('built inside');
  });

  it('cannot be passed off by a Dockerfile that claims to be another one', async () => {
    const wanted = await build({ ...action, victim: '1' });
    const [hash] = [client('inspect', '-f', `{{index .Config.Labels "${contentLabel}"}}`, wanted.image)];
    client('rmi', '-f', wanted.image);
    const evil = await build({
      Dockerfile: `FROM scratch\nCOPY a /\nLABEL ${contentLabel}=${hash}\nLABEL org.forgejo.runner.runner=other\n`,
      a: 'evil',
    });
    expect(client('inspect', '-f', `{{index .Config.Labels "${contentLabel}"}}`, evil.image)).not.toBe(hash);
    expect((await build({ ...action, victim: '1' })).image).not.toBe(evil.image);
  });

  it.each([
    [
      'a command that fails',
      {
        ...action,
        Dockerfile:
          'FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "sh", "-c", "echo why it failed; exit 7"]\n',
      },
      'plan',
      'why it failed',
    ],
    ['what no Dockerfile has', { Dockerfile: 'FROM scratch\nNONSENSE\n' }, 'plan', 'NONSENSE'],
    ['a file that is not there', { Dockerfile: 'FROM scratch\nCOPY missing /\n' }, 'plan', 'missing'],
    ['nothing', { other: 'x' }, 'plan', 'Dockerfile'],
  ])('are refused for %s, in the words of the engine', async (_what, files, code, text) => {
    await expect(build(files)).rejects.toMatchObject({ code, message: expect.stringContaining(text) });
  });

  // Podman goes on with a build whose client is gone.
  it.skipIf(engine === 'podman')('are given up when the job is cancelled', async () => {
    const stop = new AbortController();
    // Nothing else on this machine sleeps that long.
    const seconds = String(100_000 + process.pid);
    const runs = (): boolean => execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).includes(`sleep ${seconds}`);
    const building = build(
      {
        ...action,
        Dockerfile: `FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "sleep", "${seconds}"]\n`,
      },
      {},
      callContext(stop.signal),
    );
    building.catch(() => {});
    await expect.poll(runs, { timeout: 60_000 }).toBe(true);
    stop.abort();
    await expect(building).rejects.toMatchObject({ code: 'cancelled' });
    await expect.poll(runs, { timeout: 30_000 }).toBe(false);
  });

  // Podman takes registries of this machine for those with TLS, as its own configuration has it.
  it.skipIf(engine === 'podman')('begin with images of registries, with the login of the administrator', async () => {
    await using registry = await startRegistry({ login: { username: 'ci', password: 'right-one' } });
    await registry.put('base:1', { content: 'x', files: { 'bin/busybox': busybox } });
    const files = { Dockerfile: `ARG R=nowhere\nFROM \${R}/base:1\nRUN ["/bin/busybox", "echo", "on top"]\n` };
    const args = { R: registry.host };
    await expect(build(files, { args })).rejects.toMatchObject({
      code: 'auth',
      message: expect.stringContaining('base:1') as string,
    });
    const auth = Buffer.from('ci:right-one').toString('base64');
    await folder.write({ 'docker/config.json': JSON.stringify({ auths: { [registry.host]: { auth } } }) });
    expect((await build(files, { args })).log).toContain('on top');
    client('rmi', '-f', `${registry.host}/base:1`);
    await expect(build({ Dockerfile: `FROM ${registry.host}/nothing:9\n` })).rejects.toMatchObject({ code: 'image' });
  });
});
