import type { DelegationRequest, EnvironmentRequest, StepContainerSpec } from '@forgejo-runner/core';
import { type ReferenceBackend, referenceBackend } from '@forgejo-runner/testkit';
import { describe, expect, it } from 'vitest';
import { altered, calls, failOnLeaks } from './altered-backend.ts';
import { type DriverFaults, fakeDriver } from './fake-driver.ts';
import { openPolicy, type RunYamlOptions, runSteps } from './run-yaml.ts';

failOnLeaks();

const head = 'container: alpine\nservices:\n  db: { image: postgres, ports: [5432] }\n  cache: redis';

/** Runs steps on a label whose containers are made at an endpoint. */
async function run(
  steps: string,
  options: RunYamlOptions & { readonly head?: string; readonly faults?: DriverFaults } = {},
) {
  const backend = options.backend ?? referenceBackend({ capabilities: { containers: { via: 'docker-endpoint' } } });
  const ran = await runSteps(steps, { ...options, backend, driver: fakeDriver(backend, options.faults) });
  return { ...ran, seen: ran.job(), result: ran.results.get('one')?.result };
}

/** What was made and removed, in order. */
function order({ log }: ReferenceBackend): readonly string[] {
  const wanted = /^(?:createEnvironment|remove|dockerEndpoint|driver (?!waitReady|run))/;
  return log.flatMap(({ method, detail }) => {
    if (!wanted.test(method)) return [];
    return [method === 'driver remove' ? `driver remove ${String(detail)}` : method];
  });
}

it('makes services, job container and step containers there, and removes them before the machine', async () => {
  const { backend, seen, result } = await run(
    `- run: echo "$FROM_IMAGE \${{ job.services.db.ports['5432'] }} \${{ job.services.db.id }} \${{ job.container.network }}"
- { uses: "docker://alpine", with: { entrypoint: echo, args: hello } }`,
    { head },
  );
  expect(seen.text()).not.toContain('##[error]');
  expect(result).toBe('success');
  expect([seen.steps(0), seen.steps(1)]).toEqual([['yes 40000 service-db net'], expect.arrayContaining(['hello'])]);
  expect(order(backend)).toEqual([
    'createEnvironment',
    'dockerEndpoint',
    'driver open',
    'driver createServiceContainer',
    'driver createServiceContainer',
    'driver createJobContainer',
    'driver createStepContainer',
    'driver remove step',
    'driver remove job',
    'driver remove service-cache',
    'driver remove service-db',
    'driver remove all',
    'driver close',
    'remove',
  ]);
});

it('hands the driver the endpoint, the request of the environment and what the machine looks like', async () => {
  const { backend } = await run('- run: "true"', { head });
  const request = calls(backend, 'createEnvironment')[0]?.detail as EnvironmentRequest;
  const opened = calls(backend, 'driver open')[0]?.detail as DelegationRequest;
  expect(opened.environment).toBe(request);
  expect(opened.endpoint).toMatchObject({ binds: 'target-paths', publishedHost: '127.0.0.1' });
  expect(opened.info.paths.workspace).toMatch(/^\//);
});

it('asks for no engine where a job needs no container', async () => {
  const { backend, result } = await run('- run: "true"');
  expect(result).toBe('success');
  expect(order(backend)).toEqual(['createEnvironment', 'remove']);
});

it('runs the containers of steps beside the machine, with its command files', async () => {
  const { seen, result } = await run(
    `- id: a
  uses: docker://alpine
  with: { entrypoint: sh, args: "-c 'echo made=1 >> \\"$GITHUB_OUTPUT\\"; echo x > file'" }
- run: echo "got \${{ steps.a.outputs.made }} $(cat file)"`,
  );
  expect(result).toBe('success');
  expect(seen.steps(1)).toEqual(['got 1 x']);
});

it('builds the images of Docker actions there', async () => {
  const files = {
    'mine/action.yml': 'runs: { using: docker, image: Dockerfile, entrypoint: echo, args: [built] }',
    'mine/Dockerfile': 'FROM scratch',
  };
  const { backend, seen } = await run('- uses: ./mine', { files });
  expect(seen.steps(0)).toContain('built');
  expect(order(backend).slice(-6)).toEqual([
    'driver buildImage',
    'driver createStepContainer',
    'driver remove step',
    'driver remove all',
    'driver close',
    'remove',
  ]);
});

it('believes a job container about its own inside', async () => {
  const faults: DriverFaults = {
    info: (machine) => ({
      ...machine,
      arch: 'ARM64',
      paths: { ...machine.paths, toolCache: `${machine.paths.temp}/tools` },
    }),
  };
  const { seen } = await run('- run: echo "$RUNNER_ARCH ${{ runner.arch }} $RUNNER_TOOL_CACHE"', { head, faults });
  expect(seen.steps(0)[0]).toMatch(/^ARM64 ARM64 .*\/temp\/tools$/);
});

describe('when something fails', () => {
  it('a job container that is gone ends the job, although its machine lives', async () => {
    const steps = '- run: "true"\n- { run: "echo never", if: always() }';
    const { seen, result } = await run(steps, { head, faults: { isLost: true } });
    expect(result).toBe('failure');
    expect(seen.text()).toContain('The environment is gone (the container died); later steps cannot run');
    expect(seen.steps(1)).not.toContain('never');
  });

  it.each<[NonNullable<DriverFaults['fails']>, readonly string[]]>([
    ['open', []],
    ['createServiceContainer', ['driver remove all']],
    ['createJobContainer', ['driver remove service-cache', 'driver remove service-db', 'driver remove all']],
    [
      'waitReady',
      ['driver remove job', 'driver remove service-cache', 'driver remove service-db', 'driver remove all'],
    ],
  ])('at %s, the job fails with the reason and everything that was made goes', async (fails, removed) => {
    const { backend, seen, result } = await run('- run: "true"', { head, faults: { fails } });
    expect(result).toBe('failure');
    expect(seen.text()).toContain(`##[error]the engine failed at ${fails}`);
    const removals = order(backend).filter((method) => method.startsWith('driver remove'));
    // Which of the services was first is a matter of chance.
    expect(removals.toSorted()).toEqual([...removed].toSorted());
    expect(order(backend).at(-1)).toBe('remove');
  });

  it('a step that could not open the engine fails alone, and the next tries again', async () => {
    const { seen, result } = await run(
      `- { uses: "docker://alpine", continue-on-error: true }
- { uses: "docker://alpine", with: { entrypoint: echo, args: again } }`,
      { faults: { fails: 'open', times: 1 } },
    );
    expect(result).toBe('success');
    expect(seen.results()).toEqual(['failure/success', 'success/success']);
    expect(seen.steps(1)).toContain('again');
  });

  it('removing goes on although the engine fails, and says what is left', async () => {
    const { backend, logged, result } = await run('- run: "true"', { head, faults: { fails: 'remove' } });
    expect(result).toBe('success');
    expect(order(backend).at(-1)).toBe('remove');
    expect(logged.filter(({ message }) => message.startsWith('removing failed'))).toHaveLength(4);
    const leaking = await run('- run: "true"', { head, faults: { leaks: true } });
    expect(leaking.logged.filter(({ message }) => message.startsWith('could not be removed'))).toHaveLength(4);
  });
});

it('refuses a field that the driver does not honour, before anything starts', async () => {
  const { backend, seen } = await run('- run: "true"', { head: 'container: { image: alpine, options: --cpus 1 }' });
  expect(seen.text()).toContain('cannot run this job: the job uses cpus. Nothing was started');
  expect(order(backend)).toEqual([]);
});

it('refuses paths where the engine sees none of the machine', async () => {
  const backend = altered(referenceBackend({ capabilities: { containers: { via: 'docker-endpoint' } } }), () => ({
    dockerEndpoint: async () => ({ address: 'tcp://far:1', binds: 'none', publishedHost: 'far' }),
  }));
  const withPath = 'services: { db: { image: postgres, volumes: ["/srv:/srv", "named:/n"] } }';
  const { seen } = await run('- run: "true"', { backend, head: withPath });
  expect(seen.text()).toContain('##[error]the engine of this label mounts no paths, found /srv');
  expect(calls(backend, 'driver open')).toEqual([]);
  const named = await run('- run: "true"', { backend, head: withPath.replace('"/srv:/srv", ', '') });
  expect(named.result).toBe('success');
});

it('names the package where there is no driver', async () => {
  const backend = referenceBackend({ capabilities: { containers: { via: 'docker-endpoint' } } });
  const { job } = await runSteps('- run: "true"', { backend, head });
  expect(job().text()).toContain('the job needs a container, and for that the package @forgejo-runner/backend-docker');
});

describe('the administrator', () => {
  const policy = {
    ...openPolicy,
    defaults: { ...openPolicy.defaults, env: { ADMIN: '1' }, fields: { memory: 1024 } },
    forcePull: true,
  };

  it('gives every container what he wants, those of steps as well', async () => {
    const { backend } = await run('- uses: docker://alpine', { head, policy });
    const specs = backend.log
      .filter(({ method }) => method.startsWith('driver create'))
      .map(({ detail }) => detail as StepContainerSpec);
    expect(specs).toHaveLength(4);
    for (const spec of specs) {
      expect(spec).toMatchObject({ env: { ADMIN: '1' }, options: { memory: 1024 }, pull: 'always' });
    }
  });

  it('is heard before anything starts', async () => {
    const volumes = 'container: { image: alpine, volumes: [/etc:/x], options: --privileged }';
    const { backend, seen } = await run('- run: "true"', { head: volumes, policy: { ...policy, validVolumes: [] } });
    expect(seen.text()).toContain('may not ask for "--privileged"');
    expect(seen.text()).toContain('may not mount "/etc"; its administrator can add "/etc" to container.valid_volumes');
    expect(order(backend)).toEqual([]);
  });

  it('has no Docker action with a field that the label lacks', async () => {
    const files = { 'mine/action.yml': 'runs: { using: docker, image: "docker://alpine" }' };
    const cpus = { ...policy, defaults: { ...policy.defaults, fields: { cpus: 1 } } };
    const { seen, backend } = await run('- uses: ./mine', { files, policy: cpus });
    expect(seen.text()).toContain('and its containers lack cpus');
    expect(calls(backend, 'driver createStepContainer')).toEqual([]);
  });
});

it('masks the passwords of registries, whatever they are made of', async () => {
  const credentials = '{ username: me, password: "${{ format(\'pass-{0}\', 1) }}" }';
  const { seen } = await run('- run: echo me pass-1', {
    head: `container: { image: alpine, credentials: ${credentials} }`,
  });
  expect(seen.steps(0)).toEqual(['me ***']);
});

it('says in the log which options change nothing', async () => {
  const { seen, result } = await run('- run: "true"', {
    head: 'container: { image: alpine, options: --network host --rm, cmd: [x] }',
  });
  expect(result).toBe('success');
  const rows = seen.section('set-up').join('\n');
  for (const name of ['--network', '--rm', 'container.cmd']) expect(rows).toContain(`${name} changes nothing`);
});

it('lets env be used in credentials and env of containers', async () => {
  const env =
    'env: { WHO: me }\nservices: { db: { image: x, env: { A: "${{ env.WHO }}" }, credentials: { username: "${{ env.WHO }}", password: secret } } }';
  const { backend } = await run('- run: "true"', { head: env });
  expect(calls(backend, 'driver createServiceContainer')[0]?.detail).toMatchObject({
    env: { A: 'me' },
    credentials: { username: 'me' },
  });
});
