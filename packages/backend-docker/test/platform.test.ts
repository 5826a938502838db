import { callContext, captureOutput } from '@forgejo-runner/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { docker, hasEngine, inventory, makeImage, openBench, serviceSpec } from './docker-fixture.ts';
import { startRegistry, type TestRegistry } from './registry-fixture.ts';

/** Header of a program for arm64, which no kernel of another processor starts. */
const program = Buffer.alloc(64);
program.write('\x7fELF\x02\x01\x01', 'latin1');
program.writeUInt16LE(2, 16);
program.writeUInt16LE(183, 18);

const other = process.arch === 'arm64' ? 'linux/amd64' : 'linux/arm64';
let registry: TestRegistry;
let image = '';
let own = '';

beforeAll(async () => {
  if (!hasEngine) return;
  if (process.arch === 'arm64') program.writeUInt16LE(62, 18);
  registry = await startRegistry();
  await registry.put('other:1', { content: 'other', platforms: [other], files: { 'bin/sh': program } });
  image = `${registry.host}/other:1`;
  own = makeImage('jobs');
});

afterAll(async () => {
  if (!hasEngine) return;
  docker('rmi', '-f', image);
  await registry[Symbol.asyncDispose]();
});

describe.runIf(hasEngine)('an image for another processor, which nothing emulates', () => {
  const refusal = {
    code: 'image',
    message: expect.stringMatching(
      new RegExp(`^expected an image that runs on linux/\\w+, found ".*", which is for ${other}$`),
    ),
    details: { hint: expect.stringContaining(`have emulation of ${other} installed on the machine of the engine`) },
  };

  it('is named where it is that of the label', async () => {
    const { create, owner } = await openBench(image);
    await expect(create({ label: `test:docker://${image}?platform=${other}` })).rejects.toMatchObject(refusal);
    expect(inventory(owner.runner)).toEqual([]);
  });

  it('is named where it is that of a service', async () => {
    const { create } = await openBench(own);
    const service = serviceSpec(image, { pull: 'missing', entrypoint: ['/bin/sh'], options: { platform: other } });
    await using environment = await create({ plan: { services: [service], stepContainers: 'none' } });
    const starting = async (): Promise<void> => {
      const made = await environment.createServiceContainer?.(service, callContext());
      await made?.waitReady(callContext());
    };
    await expect(starting()).rejects.toMatchObject(refusal);
  });

  it('is named where it is that of a step', async () => {
    const { create } = await openBench(own);
    await using environment = await create();
    const step = await environment.createStepContainer?.(
      {
        kind: 'step',
        stepId: 'one',
        image,
        pull: 'missing',
        entrypoint: ['/bin/sh'],
        cmd: [],
        env: {},
        mounts: [],
        ports: [],
        options: { platform: other },
        workdir: '/',
      },
      callContext(),
    );
    const output = captureOutput();
    const run = step?.run({ stdout: output.sink, stderr: output.sink }, callContext());
    await expect(run?.result).rejects.toMatchObject(refusal);
  });
});
