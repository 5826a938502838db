import type { BackendFactory, ExecutionEnvironment } from '@forgejo-runner/core';
import { type ConformanceOptions, runConformance } from '@forgejo-runner/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import { findEngine } from './engines.ts';
import { loadTestImages } from './images/load-images.ts';
import { whyNoLxc } from '../packages/backend-lxc/test/lxc-fixture.ts';

/** What the place of the engine makes a difference to; each takes seconds, for an engine that begins without images. */
const quick = ['C05', 'C60', 'C63', 'C64', 'C65', 'C66', 'C67', 'C71'] as const;

const engine = whyNoLxc === undefined ? await findEngine('docker') : undefined;
const why = whyNoLxc ?? (engine === undefined ? 'no Docker engine answers' : undefined);

describe.skipIf(why !== undefined)(`an engine in an LXC container${why === undefined ? '' : `: ${why}`}`, () => {
  let subject: ConformanceOptions;
  beforeAll(async () => {
    // It loads the Docker driver, which a machine without LXC has no use for.
    ({ conformance: subject } = await import('./lxc-docker-subject.ts'));
  });

  it('conforms in all that containers need', { timeout: 900_000 }, async () => {
    const isNightly = process.env['FORGEJO_RUNNER_NIGHTLY'] !== undefined;
    const { checks } = await runConformance(subject, isNightly ? { lane: 'full' } : { only: quick });
    expect(checks.filter(({ status }) => status === 'failed')).toEqual([]);
  });

  it('C66 catches a backend that hands out the engine of the machine', { timeout: 300_000 }, async () => {
    const address = engine?.address as `unix://${string}`;
    await loadTestImages(address);
    const { checks } = await runConformance(
      { ...subject, factory: escaping(subject.factory, address) },
      { only: ['C66'] },
    );
    expect(checks).toMatchObject([
      { status: 'failed', reason: expect.stringContaining('it runs outside of it') as string },
    ]);
  });
});

function escaping(factory: BackendFactory, address: `unix://${string}`): BackendFactory {
  return {
    ...factory,
    create: async (input, ctx) => {
      const backend = await factory.create(input, ctx);
      return {
        ...backend,
        createEnvironment: async (request, call) => escaped(await backend.createEnvironment(request, call), address),
      };
    },
  };
}

/** Folders that are there on the machine as well, so that nothing but the place of the containers is wrong. */
function escaped(environment: ExecutionEnvironment, address: `unix://${string}`): ExecutionEnvironment {
  const paths = { workspace: '/tmp', temp: '/var/tmp', toolCache: '/opt', runner: '/srv', home: '/root' };
  return Object.assign(environment, {
    info: { ...environment.info, paths },
    dockerEndpoint: async () => ({ address, binds: 'target-paths', publishedHost: '127.0.0.1' }) as const,
  });
}
