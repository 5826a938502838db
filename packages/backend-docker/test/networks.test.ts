import { callContext } from '@forgejo-runner/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import { docker, hasEngine, inventory, makeImage, newName, openBench, serviceSpec, sh } from './docker-fixture.ts';

let image = '';
beforeAll(() => {
  if (hasEngine) image = makeImage('jobs');
});

/** Answers "hello" on a port, as often as it is asked. */
const answering = (port: number): readonly string[] => [
  '/bin/sh',
  '-c',
  `while :; do echo hello | nc -l -p ${port}; done`,
];

describe.runIf(hasEngine)('the network of a job', () => {
  it('is its own, and two jobs do not see each other', async () => {
    const { create } = await openBench(image);
    const service = serviceSpec(image, { entrypoint: answering(7000) });
    await using first = await create({ plan: { services: [service], stepContainers: 'none' } });
    await using second = await create();
    await first.createServiceContainer?.(service, callContext());
    const question = 'nc -w 5 db 7000 < /dev/null 2>&1';
    const answer = async (): Promise<string> => (await sh(first.target, question)).stdout;
    await expect.poll(answer, { timeout: 20_000 }).toBe('hello\n');
    expect((await sh(second.target, question)).stdout).toContain('bad address');
  });

  it('has IPv6 where it is configured, and is removed with it', async () => {
    const { create, owner } = await openBench(image, { enable_ipv6: true });
    await using environment = await create();
    expect(docker('network', 'inspect', '-f', '{{.EnableIPv6}}', environment.name)).toBe('true');
    const found = await sh(environment.target, 'cat /proc/net/if_inet6');
    expect(found.stdout).toMatch(/^fd[0-9a-f]{30} .* eth0$/m);
    expect((await environment.remove(callContext())).leaked).toEqual([]);
    expect(inventory(owner.runner)).toEqual([]);
  });

  it('is the configured one as it is, which stays', async () => {
    const network = newName();
    docker('network', 'create', '--label', 'team=x', network);
    try {
      const before = docker('network', 'inspect', network);
      const { create, owner } = await openBench(image, { network });
      const service = serviceSpec(image, { entrypoint: answering(7000) });
      await using environment = await create({ plan: { services: [service], stepContainers: 'none' } });
      const made = await environment.createServiceContainer?.(service, callContext());
      expect(made?.network).toBe(network);
      const ask = async (): Promise<string> => (await sh(environment.target, 'nc -w 5 db 7000 < /dev/null')).stdout;
      await expect.poll(ask, { timeout: 20_000 }).toBe('hello\n');
      expect(inventory(owner.runner).filter((object) => object.startsWith('network'))).toEqual([]);
      await environment.remove(callContext());
      expect(inventory(owner.runner)).toEqual([]);
      expect(docker('network', 'inspect', network)).toBe(before);
    } finally {
      docker('network', 'rm', network);
    }
  });

  it('that is configured and not there is named', async () => {
    const { create, owner } = await openBench(image, { network: 'no-such-network' });
    await expect(create()).rejects.toMatchObject({
      code: 'unavailable',
      message: 'expected the configured network "no-such-network" in the engine, found none',
      details: { hint: expect.stringContaining('docker network create no-such-network') },
    });
    expect(inventory(owner.runner)).toEqual([]);
  });
});
