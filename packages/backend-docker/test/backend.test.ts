import type { ExecutionEnvironment } from '@forgejo-runner/core';
import { callContext } from '@forgejo-runner/testkit';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  type Bench,
  docker,
  hasEngine,
  inventory,
  jobSpec,
  makeImage,
  newName,
  openBench,
  sh,
} from './docker-fixture.ts';

let image = '';
let bench: Bench;
const open: ExecutionEnvironment[] = [];

async function create(...args: Parameters<Bench['create']>): Promise<ExecutionEnvironment> {
  const environment = await bench.create(...args);
  open.push(environment);
  return environment;
}

describe.skipIf(!hasEngine)('the machine of a label', () => {
  beforeAll(async () => {
    image = makeImage('busybox', {
      changes: ['ENV FROM_IMAGE=yes', 'ENV HOSTNAME=wrong', 'ENTRYPOINT ["/bin/false"]'],
    });
    bench = await openBench(image);
  });
  afterEach(async () => {
    for (const environment of open.splice(0))
      expect(await environment.remove(callContext())).toMatchObject({ leaked: [] });
    expect(inventory(bench.owner.runner)).toEqual([]);
  });

  it('runs what it is told to, and leaves nothing', async () => {
    const environment = await create();
    const { result, stdout } = await sh(environment.target, 'echo "hello from $(id -u)"; exit 3');
    expect({ result, stdout }).toEqual({ result: { kind: 'exited', code: 3 }, stdout: 'hello from 0\n' });
    expect(inventory(bench.owner.runner)).toHaveLength(4);
  });

  it('says where everything is, and all of it is there and can be written', async () => {
    const environment = await create();
    const { info } = environment;
    expect(info).toMatchObject({
      os: 'Linux',
      paths: {
        workspace: '/workspace/acme/app',
        runner: '/var/run/act',
        temp: '/var/run/act/_temp',
        toolCache: '/opt/hostedtoolcache',
        home: '/root',
      },
    });
    const { stdout } = await sh(
      environment.target,
      Object.values(info.paths)
        .map((folder) => `test -w ${folder} && echo ok`)
        .join('\n'),
    );
    expect(stdout).toBe('ok\n'.repeat(5));
  });

  it('has the variables of the image, without those of one process', async () => {
    const { target } = await create();
    expect(target?.baseEnv).toEqual({
      FROM_IMAGE: 'yes',
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: '/root',
    });
  });

  it.each([
    ['USER runner', '1000 1001 /home/runner'],
    ['USER 1000', '1000 1001 /home/runner'],
    ['USER 1234:998', '1234 998 /home/runner'],
    ['USER runner:docker', '1000 998 /home/runner'],
  ])('gives its folders to the user of the image: %s', async (change, expected) => {
    const environment = await create({
      label: `x:docker://${makeImage(`as-${change.replaceAll(/\W+/g, '-').toLowerCase()}`, { changes: [change] })}`,
    });
    const { info, target } = environment;
    const { stdout } = await sh(
      target,
      [
        'echo "$(id -u) $(id -g) $HOME"',
        ...[info.paths.workspace, info.paths.temp, info.paths.runner, info.paths.toolCache].map(
          (folder) => `touch ${folder}/x && echo ok`,
        ),
      ].join('\n'),
    );
    expect(stdout).toBe(`${expected}\n${'ok\n'.repeat(4)}`);
  });

  it('refuses a user that the image does not know', async () => {
    const unknown = makeImage('unknown-user', { changes: ['USER nobody-knows'] });
    await expect(create({ label: `x:docker://${unknown}` })).rejects.toMatchObject({
      code: 'plan',
      message: expect.stringContaining('"nobody-knows"'),
    });
  });

  it('needs neither sleep nor tail in an image', async () => {
    const dash = makeImage('dash', { programs: ['true'], binaries: ['/bin/dash'], links: { 'bin/sh': 'dash' } });
    const { target, state } = await create({ label: `x:docker://${dash}` });
    const { stdout } = await sh(target, 'command -v sleep; command -v tail; echo done');
    expect(stdout).toBe('done\n');
    expect(await state(callContext())).toEqual({ alive: true });
  });

  it('names the shell that an image lacks', async () => {
    const bare = makeImage('no-shell', { programs: ['true'] });
    await expect(create({ label: `x:docker://${bare}` })).rejects.toMatchObject({
      code: 'plan',
      message: `expected a shell at /bin/sh in image "${bare}", found none`,
    });
  });

  it('ends by itself when its time is over', async () => {
    const environment = await create({ expiresAt: Date.now() + 3000 });
    await expect
      .poll(() => environment.state(callContext()), { timeout: 30_000 })
      .toMatchObject({ alive: false, reason: 'expired' });
    await expect.poll(() => inventory(bench.owner.runner), { timeout: 30_000 }).toEqual([]);
  });

  it('has a container that ends although nobody is there to remove it', async () => {
    const environment = await create({ expiresAt: Date.now() + 5000 });
    // As with a runner that was killed: its timer does not fire.
    (environment as unknown as { forget: () => void }).forget();
    await expect
      .poll(() => environment.state(callContext()), { timeout: 30_000 })
      .toMatchObject({ alive: false, reason: 'expired' });
    expect(inventory(bench.owner.runner)).toHaveLength(4);
  });

  it('has no second environment of a name, and the first is unharmed', async () => {
    const name = newName();
    const first = await create({ name });
    await expect(create({ name })).rejects.toMatchObject({ code: 'plan', message: expect.stringContaining(name) });
    expect((await sh(first.target, 'echo still here')).stdout).toBe('still here\n');
  });

  it('leaves what another process made under the same name', async () => {
    const name = newName();
    const first = await create({ name });
    const other = await openBench(image, {}, { runner: bench.owner.runner, boot: 'boot-2' });
    await first.remove(callContext());
    docker(
      'network',
      'create',
      '--label',
      `org.forgejo.runner.runner=${bench.owner.runner}`,
      '--label',
      `org.forgejo.runner.environment=${name}`,
      '--label',
      'org.forgejo.runner.boot=boot-3',
      name,
    );
    await expect(other.create({ name })).rejects.toMatchObject({ code: 'plan' });
    expect(inventory(bench.owner.runner)).toHaveLength(1);
    docker('network', 'rm', name);
  });

  it('can be removed twice, and again when it is disposed', async () => {
    const environment = await create();
    expect((await environment.remove(callContext())).removed).toHaveLength(4);
    expect(await environment.remove(callContext())).toEqual({ removed: [], leaked: [] });
    await environment[Symbol.asyncDispose]();
  });

  it('is removed also when the call is over before it begins', async () => {
    const environment = await create();
    expect(await environment.remove(callContext(AbortSignal.abort()))).toMatchObject({ leaked: [] });
    expect(inventory(bench.owner.runner)).toEqual([]);
  });

  it('lets steps of other users write into the folders of the job, and nowhere else', async () => {
    const environment = await create();
    const { workspace, temp, home } = environment.info.paths;
    const script = `touch ${workspace}/mine ${temp}/mine && echo written; touch ${home}/mine 2>/dev/null || echo refused`;
    const { stdout } = await sh(environment.target, script, { user: '1234', cwd: workspace });
    expect(stdout).toBe('written\nrefused\n');
  });

  it('is removed with what runs in it, and says so', async () => {
    const environment = await create();
    const running = sh(environment.target, 'sleep 1000').then(
      () => 'ended',
      () => 'failed',
    );
    await expect.poll(() => docker('top', environment.id)).toContain('sleep 1000');
    expect(await environment.remove(callContext())).toMatchObject({ leaked: [] });
    await running;
    expect(await environment.state(callContext())).toMatchObject({ alive: false, reason: 'stopped' });
  });

  it('notices a container that was killed from outside', async () => {
    const environment = await create();
    docker('rm', '-f', environment.id);
    expect(await environment.state(callContext())).toMatchObject({ alive: false, reason: 'stopped' });
    expect(await environment.remove(callContext())).toMatchObject({ leaked: [] });
  });

  it('leaves nothing when it is cancelled at any time', async () => {
    for (const afterMs of [0, 30, 80, 150, 250, 350]) {
      const stop = new AbortController();
      const creating = bench.create({}, callContext(stop.signal)).then(
        async (environment) => {
          await environment.remove(callContext());
          return 'made';
        },
        (error: unknown) => (error as { code?: string }).code,
      );
      setTimeout(() => stop.abort(), afterMs);
      expect(['cancelled', 'made']).toContain(await creating);
      expect(inventory(bench.owner.runner)).toEqual([]);
    }
  });

  it('gives the container of a label what the administrator wants', async () => {
    const other = await openBench(image, {
      memory: 64 * 1024 * 1024,
      pids_limit: 50,
      container_options: {
        env: { FROM_ADMIN: 'yes' },
        options: { memory: 512 * 1024 * 1024, hostname: 'ci' },
        mounts: [{ source: '/tmp', target: '/from-host', readOnly: true }],
      },
    });
    const environment = await other.create();
    open.push(environment);
    const { stdout } = await sh(
      environment.target,
      'echo $FROM_ADMIN; cat /etc/hostname; touch /from-host/x 2> /dev/null || echo read-only',
    );
    expect(stdout).toBe('yes\nci\nread-only\n');
    const found = docker(
      'inspect',
      '-f',
      '{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}} {{.HostConfig.Privileged}}',
      environment.id,
    );
    expect(found).toBe(`${64 * 1024 * 1024} 50 false`);
  });

  it('gives a job the socket of the engine only by configuration', async () => {
    const { target } = await create();
    expect((await sh(target, 'test -e /var/run/docker.sock || echo none')).stdout).toBe('none\n');
    const environment = await (await openBench(image, { docker_socket: true })).create();
    open.push(environment);
    expect((await sh(environment.target, 'test -S /var/run/docker.sock && echo there')).stdout).toBe('there\n');
  });

  it('runs nothing in privileged mode unless it is configured', async () => {
    const plan = {
      jobContainer: jobSpec(image, { options: { privileged: true } }),
      services: [],
      stepContainers: 'none',
    } as const;
    const environment = await create({ plan });
    await expect(environment.createJobContainer?.(plan.jobContainer, callContext())).rejects.toMatchObject({
      code: 'unsupported',
      details: { unmet: ['privileged'] },
    });
  });

  it('refuses what the engine does not take, in its words', async () => {
    const plan = {
      jobContainer: jobSpec(image, { options: { capAdd: ['NONSENSE'] } }),
      services: [],
      stepContainers: 'none',
    } as const;
    const environment = await create({ plan });
    await expect(environment.createJobContainer?.(plan.jobContainer, callContext())).rejects.toMatchObject({
      code: 'plan',
      message: expect.stringContaining('NONSENSE'),
    });
    const unknown = jobSpec(image, { options: { colour: 'red' } });
    await expect(environment.createJobContainer?.(unknown, callContext())).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringContaining('colour'),
    });
  });

  it('is healthy while the engine answers', async () => {
    expect(await bench.backend.health(callContext())).toEqual({ status: 'ok' });
  });

  it('names a job container and shows it the workspace', async () => {
    const plan = {
      jobContainer: jobSpec(image, { env: { OWN: 'value' }, options: { user: 'runner', hostname: 'inside' } }),
      services: [],
      stepContainers: 'none',
    } as const;
    const environment = await create({ plan });
    expect(environment.target).toBeUndefined();
    const container = await environment.createJobContainer?.(plan.jobContainer, callContext());
    expect(container?.network).toBe(environment.name);
    expect(container?.info?.paths).toMatchObject({ workspace: '/workspace/acme/app', home: '/home/runner' });
    const { stdout } = await sh(container, 'echo "$OWN $(id -un) $(cat /etc/hostname)"; touch x && echo ok', {
      cwd: '/workspace/acme/app',
    });
    expect(stdout).toBe('value runner inside\nok\n');
  });
});
