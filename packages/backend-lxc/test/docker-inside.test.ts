import { mkdir } from 'node:fs/promises';
import type { ExecutionEnvironment, Target } from '@forgejo-runner/core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type * as EngineFixture from './engine-fixture.ts';
import { callContext, type Lxc, openLxc, sh, whyNoLxc } from './lxc-fixture.ts';

type Environment = ExecutionEnvironment & { readonly target: Target };

let lxc: Lxc;
const made: Environment[] = [];
// It asks apt for a mirror, which a machine without Debian cannot.
const { engineConfig, engineLabel }: Pick<typeof EngineFixture, 'engineConfig' | 'engineLabel'> =
  whyNoLxc === undefined
    ? await import('./engine-fixture.ts')
    : { engineConfig: { storage: '', mirror: '', packages: [] }, engineLabel: 'lxc' };

/** Other checkouts on this machine keep their containers in the same folder. */
const own = (name: string): string => `${name}-${process.pid}`;

async function create(name: string, label = `x:${engineLabel}`): Promise<Environment> {
  const environment = await lxc.create(own(name), {}, label);
  made.push(environment);
  return environment;
}

describe.skipIf(whyNoLxc !== undefined)(
  `a system by debootstrap${whyNoLxc === undefined ? '' : `: ${whyNoLxc}`}`,
  () => {
    beforeAll(async () => {
      await mkdir(engineConfig.storage, { recursive: true, mode: 0o711 });
      const config = { ...engineConfig, docker_engine: { 'registry-mirrors': ['http://mirror.test:5000'] } };
      lxc = await openLxc(engineConfig.storage, { config });
      // The first time a template is made.
      await (await lxc.create(own('first'), {}, `x:${engineLabel}`)).remove(callContext());
    }, 600_000);
    afterAll(() => lxc.backend[Symbol.asyncDispose]());
    afterEach(async () => {
      for (const environment of made.splice(0)) await environment.remove(callContext());
    });

    it('has an init whose services are there for the first step', async () => {
      const environment = await create('init');
      const { stdout } = await sh(
        environment,
        'cat /proc/1/comm; systemctl is-system-running; systemctl is-active docker',
      );
      expect(stdout).toBe('systemd\nrunning\nactive\n');
    });

    it('runs an engine with the settings of the administrator', async () => {
      const environment = await create('settings');
      const { stdout } = await sh(
        environment,
        'docker info --format "{{json .RegistryConfig.Mirrors}} {{.Driver}} {{.Name}}"',
      );
      // Not `vfs`, which copies whole images.
      expect(stdout).toBe(`["http://mirror.test:5000/"] overlay2 ${own('settings')}\n`);
      expect(await environment.dockerEndpoint?.(callContext())).toMatchObject({
        address: `unix://${engineConfig.storage}/jobs/${own('settings')}/docker.sock`,
        binds: 'target-paths',
      });
    });

    it('says what is missing where a template has no engine', async () => {
      await expect(create('lacking', 'x:lxc://test::docker?docker=true')).rejects.toMatchObject({
        code: 'unavailable',
        message: 'expected a Docker engine in the template, found no program "dockerd"',
      });
    });

    it('gives no endpoint to labels that do not ask for one', async () => {
      expect((await create('plain', 'x:lxc://test::docker')).dockerEndpoint).toBeUndefined();
    });
  },
);
