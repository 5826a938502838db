import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { beforeAll, describe, expect, it } from 'vitest';
import { hasEngine, jobSpec, makeImage, openBench, sh } from './docker-fixture.ts';
import { callContext } from '@forgejo-runner/testkit';

let image = '';
beforeAll(() => {
  if (hasEngine) image = makeImage('jobs');
});

describe.runIf(hasEngine)('the address of the runner', () => {
  it('is one that a container reaches, of a label and of a workflow', async () => {
    const { create, backend } = await openBench(image);
    const plan = { services: [], stepContainers: 'none' } as const;
    await using ofLabel = await create();
    await using ofWorkflow = await create({ plan: { ...plan, jobContainer: jobSpec(image) } });
    const container = await ofWorkflow.createJobContainer?.(jobSpec(image), callContext());
    for (const { info, target } of [
      { info: ofLabel.info, target: ofLabel.target },
      { info: container?.info, target: container },
    ]) {
      const server = createServer((socket) => socket.end('here\n'));
      await once(server.listen(0, info?.runnerAddress), 'listening');
      // It listens on TCP.
      const { port } = server.address() as AddressInfo;
      expect((await sh(target, `nc ${info?.runnerAddress} ${port} </dev/null`)).stdout).toBe('here\n');
      server.close();
    }
    await backend[Symbol.asyncDispose]();
  });

  it.each([
    ['host', '127.0.0.1'],
    ['none', undefined],
    ['bridge', expect.stringMatching(/^\d+\.\d+\.\d+\.\d+$/)],
  ])('is known for the network %s', async (network, address: unknown) => {
    const { create, backend } = await openBench(image, { network });
    await using environment = await create();
    expect(environment.info.runnerAddress).toEqual(address);
    await backend[Symbol.asyncDispose]();
  });
});
