import { lstat, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { CallContext, StepContainerSpec } from '@forgejo-runner/core';
import { callContext, type ReferenceBackend, referenceBackend } from '@forgejo-runner/testkit';
import { expect, it } from 'vitest';
import type { CreatedEnvironment } from '../src/environment/create-environment.ts';
import { delegateContainers } from '../src/environment/delegated-docker.ts';
import { calls, failOnLeaks } from './altered-backend.ts';
import { type DriverFaults, fakeDriver } from './fake-driver.ts';

failOnLeaks();

// Only root makes files of somebody else.
const isRoot = process.getuid?.() === 0;
const user = { uid: 65_534, gid: 65_534 };

/** Containers of an environment whose workspace has a file of root in it; `made` goes on from there. */
async function leaveFile(faults: DriverFaults, entrypoints: readonly string[]) {
  const backend = referenceBackend({ capabilities: { containers: { via: 'docker-endpoint' } } });
  const ctx = callContext();
  const { environment, request } = await openEnvironmentOf(backend, ctx);
  const maker = delegateContainers(fakeDriver(backend, faults), { environment, request }, user);
  const { workspace } = environment.info.paths;
  for (const image of entrypoints) {
    const spec = {
      kind: 'step',
      stepId: 'a',
      workdir: workspace,
      image,
      pull: 'missing',
      env: {},
      mounts: [],
      ports: [],
      options: {},
    } as const;
    const step = await maker.createStepContainer(
      { ...spec, entrypoint: ['sh', '-c', 'mkdir -p a/b; touch a/b/file; ln -sf /etc/passwd link'] },
      ctx,
    );
    await step.run({ stdout: () => {}, stderr: () => {} }, ctx).result;
  }
  const report = await maker.remove(ctx);
  const owners = await Promise.all(
    ['a', 'a/b/file', 'link'].map(async (path) => (await lstat(join(workspace, path))).uid),
  );
  const passwd = (await stat('/etc/passwd')).uid;
  await environment.remove(ctx);
  const handedBack = calls(backend, 'driver createStepContainer')
    .map(({ detail }) => detail as StepContainerSpec)
    .filter(({ stepId }) => stepId === 'hand-back');
  return { owners, passwd, report, handedBack };
}

it.runIf(isRoot)('gets back what containers made as root, and nothing beside it', async () => {
  const { owners, passwd, handedBack } = await leaveFile({}, ['alpine']);
  expect([owners, passwd]).toEqual([[65_534, 65_534, 65_534], 0]);
  expect(handedBack).toMatchObject([{ image: 'alpine', pull: 'never', options: { user: '0' } }]);
});

it.runIf(isRoot)('gets them back from a rootless engine, where root is the user outside', async () => {
  const { owners, handedBack } = await leaveFile({ isRootless: true }, ['alpine']);
  expect(owners).toEqual([65_534, 65_534, 65_534]);
  expect(handedBack.map(({ cmd }) => cmd?.[2])).toEqual(['65534:65534', '0:0']);
});

it.runIf(isRoot)('tries one image after the other, and removes all the same', async () => {
  const { owners, report, handedBack } = await leaveFile({ hasNoChown: true }, ['one', 'two']);
  expect(owners).toEqual([0, 0, 0]);
  expect(handedBack.map(({ image }) => image)).toEqual(['one', 'one', 'two', 'two']);
  expect(report.removed).toEqual(['all']);
});

/** An environment without a job. */
async function openEnvironmentOf({ factory }: ReferenceBackend, ctx: CallContext): Promise<CreatedEnvironment> {
  const owner = { runner: 'runner', boot: 'boot' };
  const input = { config: {}, owner, stateDir: '/nowhere', apiVersion: '1.0.0', addMask: () => {} };
  const backend = await factory.create(input, ctx);
  const label = await backend.resolveLabel({ name: 'here', backend: factory.id, options: {}, form: 'string' }, ctx);
  const task = { id: '1', attempt: 1, repository: 'me/mine', workflow: 'w', job: 'one' };
  const plan = { services: [], stepContainers: 'run' } as const;
  const request = { name: 'job-one', task, owner, label, plan, expiresAt: Date.now() + 60_000 };
  return { environment: await backend.createEnvironment(request, ctx), request };
}
