import type {
  ExecutionEnvironment,
  Healthcheck,
  JobPlan,
  ServiceContainer,
  ServiceContainerSpec,
} from '@forgejo-runner/core';
import { callContext, captureOutput } from '@forgejo-runner/testkit';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Bench, docker, hasEngine, inventory, makeImage, openBench, serviceSpec, sh } from './docker-fixture.ts';

let image = '';
let bench: Bench;
const open: ExecutionEnvironment[] = [];

interface Started {
  readonly environment: ExecutionEnvironment;
  readonly services: readonly ServiceContainer[];
}

/** An environment with its services, in the order in which the runner makes them. */
async function start(services: readonly ServiceContainerSpec[], place: Bench = bench): Promise<Started> {
  const plan: JobPlan = { services, stepContainers: 'none' };
  const environment = await place.create({ plan });
  open.push(environment);
  const made = await Promise.all(
    services.map(async (spec) => environment.createServiceContainer?.(spec, callContext())),
  );
  return { environment, services: made.filter((one) => one !== undefined) };
}

const check = (test: Healthcheck['test'], rest: Partial<Healthcheck> = {}): Healthcheck => {
  return { test, intervalMs: 200, timeoutMs: 2000, retries: 3, startPeriodMs: 0, ...rest };
};
/** Answers "hello" on a port, as often as it is asked. */
const answering = (port: number, text = 'hello'): readonly string[] => [
  '/bin/sh',
  '-c',
  `while :; do echo ${text} | nc -l -p ${port}; done`,
];

describe.skipIf(!hasEngine)('services', () => {
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

  it('are reached by each of their names, at the port that they say', async () => {
    const { environment, services } = await start([
      serviceSpec(image, {
        id: 'Cache_1',
        aliases: ['store'],
        entrypoint: answering(7000, 'cache'),
        ports: [{ container: 7000, protocol: 'tcp' }],
      }),
      serviceSpec(image, { id: 'cache-1', entrypoint: answering(7000, 'other') }),
    ]);
    const [first, second] = services;
    expect(first?.hostnames).toEqual(['Cache_1', 'cache_1', 'store']);
    expect(first?.ports).toEqual([{ container: 7000, protocol: 'tcp', host: 'Cache_1', port: 7000 }]);
    expect(second?.hostnames).toEqual(['cache-1']);
    const ask = async (host: string): Promise<string> =>
      (await sh(environment.target, `nc -w 5 ${host} 7000 < /dev/null`)).stdout;
    for (const [host, text] of [
      ['Cache_1', 'cache'],
      ['cache_1', 'cache'],
      ['store', 'cache'],
      ['cache-1', 'other'],
    ] as const) {
      await expect.poll(() => ask(host), { timeout: 20_000 }).toBe(`${text}\n`);
    }
  });

  it('publish their ports on the machine, where that is asked for', async () => {
    const { services } = await start([
      serviceSpec(image, {
        entrypoint: answering(7001),
        ports: [
          { container: 7001, host: 48_123, protocol: 'tcp' },
          { container: 7002, protocol: 'udp' },
        ],
      }),
    ]);
    const published = docker('port', services[0]?.id ?? '');
    expect(published).toContain('7001/tcp -> 0.0.0.0:48123');
    expect(published).toMatch(/7002\/udp -> 0\.0\.0\.0:\d+/);
  });

  it('are refused with the port that is taken', async () => {
    const taken = serviceSpec(image, {
      entrypoint: answering(7001),
      ports: [{ container: 7001, host: 48_124, protocol: 'tcp' }],
    });
    await start([taken]);
    await expect(start([taken])).rejects.toMatchObject({
      code: 'plan',
      message: expect.stringContaining('port 48124 in use'),
    });
  });

  it('are waited for until their check says healthy', async () => {
    const { services } = await start([
      serviceSpec(image, {
        entrypoint: ['/bin/sh', '-c', 'sleep 1; touch /ready; sleep 1000'],
        healthcheck: check(['CMD-SHELL', 'test -e /ready'], { retries: 50 }),
      }),
    ]);
    const ctx = callContext();
    await services[0]?.waitReady(ctx);
    expect(ctx.progressed.text()).toMatch(
      /^waiting for service "db" to become healthy \(0\.\d s\)\nservice "db" is healthy after \d+\.\d s\n$/,
    );
    expect(ctx.events).toContainEqual(expect.objectContaining({ type: 'service.health' }));
  });

  it('need no check to be ready', async () => {
    const { services } = await start([serviceSpec(image, { entrypoint: ['/bin/sleep', '1000'] })]);
    await expect(services[0]?.waitReady(callContext())).resolves.toBeUndefined();
  });

  it('have the check of their image, unless they want none', async () => {
    // Import takes no HEALTHCHECK; the container of a build does.
    const script = '#!/bin/sh\nexec sleep 1000\n';
    const plain = makeImage('idle', { files: { 'idle.sh': script }, changes: ['ENTRYPOINT ["/idle.sh"]'] });
    const { services } = await start([
      serviceSpec(plain, { healthcheck: check('image') }),
      serviceSpec(plain, { id: 'two', healthcheck: check('none') }),
    ]);
    await Promise.all(services.map((service) => service.waitReady(callContext())));
    expect(docker('inspect', '-f', '{{json .Config.Healthcheck}}', services[1]?.id ?? '')).toContain('NONE');
  });

  it('fail the job with the last words of their check and their own', async () => {
    const { services } = await start([
      serviceSpec(image, {
        id: 'sick',
        entrypoint: ['/bin/sh', '-c', 'echo out; echo err >&2; sleep 1000'],
        healthcheck: check(['CMD-SHELL', 'echo no such table; exit 1']),
      }),
    ]);
    await expect(services[0]?.waitReady(callContext())).rejects.toMatchObject({
      code: 'plan',
      message: expect.stringMatching(
        /^expected service "sick" to become ready, found it unhealthy after [\d.]+ s\nlast output of its check: no such table\nits last lines:\n {2}(?:out\n {2}err|err\n {2}out)$/,
      ),
    });
  });

  it('fail the job when they end, with how and their last 50 lines', async () => {
    const { services } = await start([
      serviceSpec(image, {
        id: 'gone',
        entrypoint: ['/bin/sh', '-c', 'i=0; while [ $i -lt 80 ]; do echo line $i; i=$((i+1)); done; exit 7'],
      }),
    ]);
    await expect
      .poll(
        () =>
          services[0]?.waitReady(callContext()).then(
            () => '',
            (error: Error) => error.message,
          ),
        { timeout: 20_000 },
      )
      .toMatch(/found it ended with code 7 after [\d.]+ s\nits last lines:\n {2}line 30\n[^]*line 79$/);
  });

  it('stop being waited for when the job is cancelled', async () => {
    const { services } = await start([
      serviceSpec(image, {
        entrypoint: ['/bin/sleep', '1000'],
        healthcheck: check(['CMD', '/bin/false'], { retries: 1000 }),
      }),
    ]);
    const stop = new AbortController();
    const ctx = callContext(stop.signal);
    const waiting = services[0]?.waitReady(ctx);
    await expect.poll(() => ctx.progressed.text()).toContain('waiting for');
    stop.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('hand over what they wrote', async () => {
    const { services } = await start([
      serviceSpec(image, { entrypoint: ['/bin/sh', '-c', 'echo one; echo two >&2; sleep 1000'] }),
    ]);
    const log = captureOutput();
    await expect
      .poll(async () => {
        await services[0]?.logs?.(log.sink, callContext());
        return log.text();
      })
      .toMatch(/one\n/);
    expect(log.text()).toContain('two\n');
  });

  it('have environment, arguments, volumes and options of their own', async () => {
    const { services } = await start([
      serviceSpec(image, {
        env: { GIVEN: 'a\nb=c' },
        entrypoint: ['/bin/sh', '-c'],
        cmd: ['echo "$GIVEN|$(id -u)|$(cat /etc/hostname)"; touch /data/x && echo writable; sleep 1000'],
        mounts: [{ source: '', target: '/data', readOnly: false }],
        options: {
          user: '0:0',
          hostname: 'named',
          memory: 32 * 1024 * 1024,
          tmpfs: { '/fast': 'size=1m' },
          labels: { 'org.forgejo.runner.runner': 'stolen', team: 'x' },
        },
      }),
    ]);
    const log = captureOutput();
    await expect
      .poll(async () => {
        await services[0]?.logs?.(log.sink, callContext());
        return log.text();
      })
      .toContain('a\nb=c|0|named\nwritable\n');
    const labels = docker('inspect', '-f', '{{json .Config.Labels}}', services[0]?.id ?? '');
    expect(labels).toContain('"team":"x"');
    expect(labels).not.toContain('stolen');
  });

  it('are removed alone, with their own volumes', async () => {
    const { environment, services } = await start([
      serviceSpec(image, {
        entrypoint: ['/bin/sleep', '1000'],
        mounts: [{ source: '', target: '/data', readOnly: false }],
      }),
    ]);
    const volume = docker(
      'inspect',
      '-f',
      '{{range .Mounts}}{{if eq .Destination "/data"}}{{.Name}}{{end}}{{end}}',
      services[0]?.id ?? '',
    );
    expect(volume).not.toBe('');
    expect((await services[0]?.remove(callContext()))?.removed).toEqual([`container ${environment.name}-2-service-db`]);
    expect(docker('volume', 'ls', '-q')).not.toContain(volume);
    expect((await sh(environment.target, 'echo alive')).stdout).toBe('alive\n');
  });

  it('refuse a folder of the machine that is not there', async () => {
    const missing = serviceSpec(image, { mounts: [{ source: '/no/such/folder', target: '/x', readOnly: false }] });
    await expect(start([missing])).rejects.toMatchObject({
      code: 'plan',
      message: expect.stringContaining('/no/such/folder'),
    });
  });

  it('refuse a program that is not in their image', async () => {
    await expect(start([serviceSpec(image, { entrypoint: ['/no/program'] })])).rejects.toMatchObject({
      code: 'plan',
      message: expect.stringContaining('/no/program'),
    });
  });
});
