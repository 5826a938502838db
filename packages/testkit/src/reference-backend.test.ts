import { access, readFile } from 'node:fs/promises';
import type {
  Backend,
  BackendErrorCode,
  Capabilities,
  ContainerSpec,
  EnvironmentRequest,
  ExecRequest,
  ExecResult,
  ExecutionEnvironment,
  JobPlan,
  Owner,
} from '@forgejo-runner/core';
import { factories, parseLabel } from '@forgejo-runner/core';
import { packTar } from '@forgejo-runner/kit';
import { expect, it } from 'vitest';
import { callContext } from './call-context.ts';
import { captureOutput } from './capture.ts';
import { eventually } from './eventually.ts';
import { type ReferenceBackend, referenceBackend, referenceCapabilities } from './reference-backend.ts';
import { openTempFolder } from './temp-folder.ts';

const owner: Owner = { runner: 'runner', boot: 'boot-1' };
const everything: Capabilities['containers'] = {
  via: 'native',
  job: true,
  services: true,
  steps: true,
  build: true,
  fields: ['env'],
};

async function open(reference: ReferenceBackend, boot = 'boot-1'): Promise<Backend> {
  const input = { config: {}, owner: { ...owner, boot }, stateDir: '/', apiVersion: '1.0.0', addMask: () => {} };
  return reference.factory.create(input, callContext());
}

async function request(backend: Backend, more: Partial<EnvironmentRequest> = {}): Promise<EnvironmentRequest> {
  const plan: JobPlan = { services: [], stepContainers: 'none' };
  return {
    name: 'env',
    task: { id: '1', attempt: 1, repository: 'a/b', workflow: 'w', job: 'j' },
    owner,
    label: await backend.resolveLabel(parseLabel('test:reference'), callContext()),
    plan,
    expiresAt: Date.now() + 60_000,
    ...more,
  };
}

async function create(backend: Backend, more: Partial<EnvironmentRequest> = {}, signal?: AbortSignal) {
  return backend.createEnvironment(await request(backend, more), callContext(signal));
}

async function run(
  environment: ExecutionEnvironment,
  script: string,
  signal?: AbortSignal,
): Promise<{ readonly result: ExecResult; readonly out: string }> {
  const output = captureOutput();
  const target = environment.target!;
  const exec: ExecRequest = {
    argv: ['sh', '-c', script],
    env: target.baseEnv,
    cwd: environment.info.paths.workspace,
    stdout: output.sink,
    stderr: output.sink,
    stop: [{ signal: 'SIGKILL', graceMs: 0 }],
  };
  return { result: await target.exec(exec, callContext(signal)).result, out: output.text() };
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const spec: ContainerSpec = { image: 'i', pull: 'missing', env: {}, mounts: [], ports: [], options: {} };

it('runs processes and copies files for real, and removes everything', async () => {
  const reference = referenceBackend();
  const backend = await open(reference);
  const environment = await create(backend);
  await using folder = await openTempFolder();
  await folder.write({ file: 'content' });
  const { workspace } = environment.info.paths;
  const tar = packTar({ src: folder.join('file') }, AbortSignal.timeout(10_000));
  await environment.target!.copyIn({ dest: workspace, tar }, callContext());
  expect(await run(environment, 'cat file; exit 5')).toEqual({ result: { kind: 'exited', code: 5 }, out: 'content' });
  const out: Uint8Array[] = [];
  for await (const chunk of environment.target!.copyOut({ src: `${workspace}/file` }, callContext())) out.push(chunk);
  expect(Buffer.concat(out).toString('latin1')).toContain('content');
  expect(environment.target!.sharedPath!(`${workspace}/file`)).toBe(`${workspace}/file`);
  await run(environment, 'sleep 600 > /dev/null 2>&1 & echo $! > pid');
  const pid = Number(await readFile(`${workspace}/pid`, 'utf8'));
  expect(await environment.remove(callContext())).toEqual({ removed: ['env'], leaked: [] });
  // It may stay a moment as what its new parent has not taken notice of.
  expect(await eventually(() => !isRunning(pid))).toBe(true);
  await expect(access(environment.info.paths.home)).rejects.toMatchObject({ code: 'ENOENT' });
  expect(await environment.remove(callContext())).toEqual({ removed: [], leaked: [] });
  expect(reference.environments()).toEqual([]);
});

it('records what it was asked for, and registers nothing by itself', async () => {
  const reference = referenceBackend({ id: 'recorded' });
  const backend = await open(reference);
  await using environment = await create(backend);
  await run(environment, 'true');
  await environment.remove(callContext());
  expect(reference.log.map((call) => call.method)).toEqual([
    'create',
    'resolveLabel',
    'createEnvironment',
    'exec',
    'remove',
  ]);
  expect(reference.log[3]).toMatchObject({ environment: 'env', detail: { argv: ['sh', '-c', 'true'] } });
  expect(factories.get('recorded')).toBeUndefined();
});

it('stops a process when its signal aborts and runs the next one', async () => {
  await using environment = await create(await open(referenceBackend()));
  const stopped = await run(environment, 'sleep 600', AbortSignal.timeout(100));
  expect(stopped.result).toEqual({ kind: 'stopped', survivors: 0 });
  expect((await run(environment, 'echo next')).out).toBe('next\n');
});

it('has the containers that it claims', async () => {
  const reference = referenceBackend({ capabilities: { containers: everything } });
  const backend = await open(reference);
  const job = { ...spec, kind: 'job' as const };
  const plan: JobPlan = { jobContainer: job, services: [], stepContainers: 'run' };
  await using environment = await create(backend, { plan });
  expect(environment.target).toBeUndefined();
  const container = await environment.createJobContainer!(job, callContext());
  expect((await run({ ...environment, target: container }, 'echo inside')).out).toBe('inside\n');
  const service = await environment.createServiceContainer!(
    {
      ...spec,
      kind: 'service',
      id: 'db',
      aliases: ['database'],
      ports: [{ container: 5432, protocol: 'tcp' }],
      healthcheck: { test: 'none', intervalMs: 1, timeoutMs: 1, retries: 1, startPeriodMs: 0 },
    },
    callContext(),
  );
  await service.waitReady(callContext());
  expect(service).toMatchObject({ hostnames: ['db', 'database'], ports: [{ container: 5432, port: 35_432 }] });
  const output = captureOutput();
  const step = await environment.createStepContainer!(
    { ...spec, kind: 'step', stepId: '1', workdir: '/', entrypoint: ['echo'], cmd: ['from', 'a step'] },
    callContext(),
  );
  const io = { stdout: output.sink, stderr: output.sink };
  expect(await step.run(io, callContext()).result).toEqual({ kind: 'exited', code: 0 });
  expect(output.text()).toBe('from a step\n');
  expect(reference.log.filter((call) => call.method.startsWith('create') || call.method === 'waitReady')).toHaveLength(
    6,
  );
});

it('hands out an endpoint where it claims one, and no container methods', async () => {
  const reference = referenceBackend({ capabilities: { containers: { via: 'docker-endpoint' } } });
  await using environment = await create(await open(reference));
  expect(await environment.dockerEndpoint!(callContext())).toMatchObject({ binds: 'target-paths' });
  expect(environment.createJobContainer).toBeUndefined();
});

const codes: readonly BackendErrorCode[] =
  'unsupported config label plan capacity image not_found unavailable timeout lost auth internal cancelled'.split(' ');

it.each(codes)('rejects a creation with %s', async (code) => {
  const backend = await open(referenceBackend({ faults: { create: { code, retryAfterMs: 7 } } }));
  await expect(create(backend)).rejects.toMatchObject({ code, details: { retryAfterMs: 7 } });
});

it('is out of capacity twice and then fine', async () => {
  const backend = await open(referenceBackend({ faults: { create: { code: 'capacity', times: 2 } } }));
  await expect(create(backend)).rejects.toMatchObject({ code: 'capacity' });
  await expect(create(backend)).rejects.toMatchObject({ code: 'capacity' });
  await using environment = await create(backend);
  expect(environment.name).toBe('env');
});

it('throws what no contract knows', async () => {
  const backend = await open(referenceBackend({ faults: { create: { code: 'foreign' } } }));
  await expect(create(backend)).rejects.toThrow(TypeError);
});

it('hangs in a creation until it is cancelled', async () => {
  const reference = referenceBackend({ faults: { createHangs: true } });
  const backend = await open(reference);
  const stop = new AbortController();
  const creating = create(backend, {}, stop.signal);
  await eventually(() => reference.log.some((call) => call.method === 'createEnvironment'));
  stop.abort();
  await expect(creating).rejects.toMatchObject({ code: 'cancelled' });
  expect(reference.environments()).toEqual([]);
});

it('loses the outcome of the processes that a test picks', async () => {
  const reference = referenceBackend({ faults: { execLost: (argv) => argv.at(-1) === 'touch done' } });
  await using environment = await create(await open(reference));
  await expect(run(environment, 'touch done')).rejects.toMatchObject({ code: 'lost' });
  expect((await run(environment, 'ls')).out).toBe('done\n');
});

it('loses the outcome when it is removed under a process', async () => {
  const environment = await create(await open(referenceBackend()));
  const output = captureOutput();
  const { result } = environment.target!.exec(
    {
      argv: ['sh', '-c', 'echo on; sleep 600'],
      env: environment.target!.baseEnv,
      cwd: environment.info.paths.workspace,
      stdout: output.sink,
      stderr: output.sink,
    },
    callContext(),
  );
  result.catch(() => {});
  await eventually(() => output.text() === 'on\n');
  await environment.remove(callContext());
  await expect(result).rejects.toMatchObject({ code: 'lost' });
  expect(await environment.state(callContext())).toEqual({ alive: false, reason: 'stopped' });
});

it('starts processes late, and not at all when they are stopped before', async () => {
  const reference = referenceBackend({ faults: { execDelayMs: 60_000 } });
  await using environment = await create(await open(reference));
  const stopped = await run(environment, 'touch done', AbortSignal.timeout(20));
  expect(stopped.result).toEqual({ kind: 'stopped', survivors: 0 });
  delete reference.faults.execDelayMs;
  expect((await run(environment, 'ls')).out).toBe('');
});

it('fails to copy, to be ready, to be well, to sweep, to resolve', async () => {
  const reference = referenceBackend({
    capabilities: { containers: everything },
    faults: {
      copyIn: 'unavailable',
      copyOut: 'lost',
      serviceNeverReady: 'image',
      health: 'down',
      sweepRejects: 'internal',
    },
  });
  const backend = await open(reference);
  await using environment = await create(backend);
  const target = environment.target!;
  await expect(target.copyIn({ dest: '/x', tar: (async function* () {})() }, callContext())).rejects.toMatchObject({
    code: 'unavailable',
  });
  const reading = target.copyOut({ src: '/x' }, callContext())[Symbol.asyncIterator]();
  await expect(reading.next()).rejects.toMatchObject({ code: 'lost' });
  const service = await environment.createServiceContainer!(
    {
      ...spec,
      kind: 'service',
      id: 'db',
      aliases: [],
      healthcheck: { test: 'none', intervalMs: 1, timeoutMs: 1, retries: 1, startPeriodMs: 0 },
    },
    callContext(),
  );
  await expect(service.waitReady(callContext())).rejects.toMatchObject({ code: 'image' });
  expect(await backend.health(callContext())).toMatchObject({ status: 'down' });
  const sweep = { owner, keep: [], otherBoots: 'remove', dryRun: false } as const;
  await expect(backend.sweep(sweep, callContext())).rejects.toMatchObject({ code: 'internal' });
  reference.faults.describeLabel = 'label';
  await expect(backend.resolveLabel(parseLabel('a:reference'), callContext())).rejects.toMatchObject({ code: 'label' });
});

it('leaks or rejects a removal, until the fault is switched off', async () => {
  const reference = referenceBackend({ faults: { removeLeaks: true } });
  const environment = await create(await open(reference));
  expect(await environment.remove(callContext())).toMatchObject({ removed: [], leaked: [{ resource: 'env' }] });
  expect(reference.environments()).toEqual(['env']);
  reference.faults.removeLeaks = false;
  reference.faults.removeRejects = true;
  await expect(environment.remove(callContext())).rejects.toThrow('cannot remove');
  reference.faults.removeRejects = false;
  expect(await environment.remove(callContext())).toEqual({ removed: ['env'], leaked: [] });
});

it.each(['target', 'createJobContainer', 'createServiceContainer', 'createStepContainer', 'buildImage'] as const)(
  'leaves out %s although it is claimed',
  async (missing) => {
    const with_ = referenceBackend({ capabilities: { containers: everything } });
    const without = referenceBackend({ capabilities: { containers: everything }, faults: { missing: [missing] } });
    await using complete = await create(await open(with_));
    await using environment = await create(await open(without));
    expect(complete[missing]).toBeDefined();
    expect(environment[missing]).toBeUndefined();
  },
);

it('leaves out the methods of a target and a backend although they are claimed', async () => {
  const reference = referenceBackend({
    capabilities: { ...referenceCapabilities, recover: true },
    faults: { missing: ['sharedPath', 'signal', 'recover'] },
  });
  const backend = await open(reference);
  await using environment = await create(backend);
  expect(backend.recover).toBeUndefined();
  expect(environment.target!.sharedPath).toBeUndefined();
  reference.faults.missing = [];
  await using other = await create(await open(reference), { name: 'other' });
  expect(other.target!.sharedPath).toBeDefined();
});

it('sweeps what an earlier boot left, and nothing else', async () => {
  const reference = referenceBackend({ capabilities: { recover: true } });
  const first = await open(reference, 'boot-1');
  const [left, alive] = [await create(first, { name: 'left' }), await create(first, { name: 'alive' })];
  await create(first, { name: 'foreign', owner: { runner: 'another', boot: 'x' } });
  const second = await open(reference, 'boot-2');
  const sweep = {
    owner: { ...owner, boot: 'boot-2' },
    keep: ['alive'],
    otherBoots: 'only-expired',
    dryRun: false,
  } as const;
  expect(await second.sweep(sweep, callContext())).toMatchObject({ removed: [], kept: ['left', 'alive'] });
  expect(await second.recover!({ owner, names: ['left', 'foreign'] }, callContext())).toEqual([left]);
  const all = { ...sweep, otherBoots: 'remove' } as const;
  expect(await second.sweep({ ...all, dryRun: true }, callContext())).toMatchObject({ removed: ['left'] });
  expect(await second.sweep(all, callContext())).toEqual({ removed: ['left'], leaked: [], kept: ['alive'] });
  expect(reference.environments()).toEqual(['alive', 'foreign']);
  await alive.remove(callContext());
  const foreign = { ...sweep, owner: { runner: 'another', boot: 'y' }, keep: [], otherBoots: 'remove' } as const;
  expect(await second.sweep(foreign, callContext())).toMatchObject({ removed: ['foreign'] });
});

it('ends an environment whose time is over, and refuses a name that is taken', async () => {
  const reference = referenceBackend();
  const backend = await open(reference);
  const environment = await create(backend, { expiresAt: Date.now() + 300 });
  await expect(create(backend)).rejects.toMatchObject({ code: 'plan' });
  expect(await eventually(() => reference.environments().length === 0)).toBe(true);
  expect(await environment.state(callContext())).toMatchObject({ alive: false });
});
