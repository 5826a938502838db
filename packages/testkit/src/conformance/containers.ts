import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { type ContainerField, type ServiceContainer, unmet } from '@forgejo-runner/core';
import { captureOutput } from '../capture.ts';
import { eventually } from '../eventually.ts';
import type { Check } from './check.ts';
import { expectRejection, expectSame, expectThat, show } from './expectations.ts';
import * as gates from './gates.ts';
import {
  endlessScript,
  imageHealthcheck,
  imageOf,
  jobSpec,
  noHealthcheck,
  openJobContainers,
  runStep,
  serviceSpec,
  shellStep,
  stepSpec,
} from './job-containers.ts';
import { expectInventory } from './lifecycle.ts';
import { reach } from './reach.ts';
import { promptMs, type Stage, within } from './stage.ts';

/** Containers of a job. */
export const containers: readonly Check[] = [
  {
    id: 'C19',
    title: 'running out of memory is told apart from an exit code',
    gate: gates.native,
    run: async (stage) => {
      if (!fieldsOf(stage).includes('memory')) throw stage.skip('needs the field "memory" to be claimed');
      const image = imageOf(stage);
      const spec = jobSpec(image, { options: { memory: 32 * 1024 * 1024 } });
      const place = await (await openJobContainers(stage, { jobContainer: spec })).job(spec);
      // The shell itself grows, or whoever reads for it; the second may be killed without the first.
      const { result } = await place.run(['/bin/sh', '-c', 'exec tail -c 300000000 /dev/zero']);
      const isOom = result.kind !== 'stopped' && result.oomKilled === true;
      const state = await place.environment.state(stage.context());
      const isTold = isOom || state.reason === 'oom';
      expectThat(isTold, `expected oomKilled or the reason "oom", found ${show(result)} and ${show(state)}`);
    },
  },
  {
    id: 'C60',
    title: 'services are reached by their names, and by the ports that they report',
    gate: gates.services,
    needs: 'option images.late',
    run: async (stage) => checkServices(stage),
  },
  {
    id: 'C61',
    title: 'waitReady waits for a late service, and tells why one is not well or ended',
    gate: gates.services,
    needs: 'options images.late, unhealthy, quits',
    run: async (stage) => checkHealth(stage),
  },
  {
    id: 'C62',
    title: 'each field that is claimed has its effect, each other one is refused',
    gate: gates.steps,
    needs: 'option images.shell',
    run: async (stage) => checkFields(stage),
  },
  {
    id: 'C63',
    title: 'the job container takes execs and copies, and shares its workspace with containers of steps',
    gate: gates.job,
    needs: 'option images.shell',
    run: async (stage) => {
      const { musl = imageOf(stage) } = stage.options.images ?? {};
      for (const image of new Set([imageOf(stage), musl])) await checkJobContainer(stage, image);
    },
  },
  {
    id: 'C64',
    title: 'the container of a step runs its command in the workspace to its exit code, can be aborted, and goes',
    gate: gates.steps,
    needs: 'option images.shell',
    run: async (stage) => checkSteps(stage),
  },
  {
    id: 'C71',
    title: 'an environment does not reach the service of another by its name',
    gate: gates.isolation,
    needs: 'option images.late',
    run: async (stage) => {
      const { late } = stage.options.images ?? {};
      if (late === undefined || !gates.services.isClaimed(stage.capabilities)) {
        throw stage.skip('needs services and the option "images.late"');
      }
      const ports = [{ container: late.port, protocol: 'tcp' } as const];
      const id = `only${randomBytes(4).toString('hex')}`;
      const spec = serviceSpec(late.image, id, { ports, healthcheck: imageHealthcheck });
      const made = await openJobContainers(stage, { services: [spec] });
      const service = await made.service(spec);
      await service.waitReady(stage.context());
      const host = service.hostnames[0] ?? spec.id;
      const port = portAt(service, { host, container: late.port });
      const own = await reach(made.machine(), host, port);
      expectThat('said' in own, `expected the environment to reach its own service, found ${show(own)}`);
      const other = await stage.create();
      const found = await reach(other, host, port);
      expectThat(!('said' in found), `expected another environment not to reach the service, found ${show(found)}`);
    },
  },
];

/** The fields that a job may use: those of the backend, at an endpoint whatever the driver has. */
function fieldsOf({ capabilities }: Stage): readonly ContainerField[] {
  return capabilities.containers.via === 'native' ? capabilities.containers.fields : [];
}

function canRunSteps({ capabilities }: Stage): boolean {
  return gates.steps.isClaimed(capabilities);
}

async function checkServices(stage: Stage): Promise<void> {
  const { late } = stage.options.images ?? {};
  if (late === undefined) throw stage.skip('needs the option "images.late"');
  const ports = [{ container: late.port, protocol: 'tcp' } as const];
  const over = { ports, healthcheck: imageHealthcheck };
  const specs = [
    serviceSpec(late.image, 'web', { ...over, aliases: ['web', 'other-name'], env: { GREETING: 'one' } }),
    serviceSpec(late.image, 'web_2', { ...over, env: { GREETING: 'two' } }),
  ];
  const made = await openJobContainers(stage, { services: specs });
  const running = await Promise.all(specs.map((spec) => made.service(spec)));
  await Promise.all(running.map((service) => service.waitReady(stage.context())));
  const place = made.machine();
  for (const [at, service] of running.entries()) {
    const expected = at === 0 ? 'one' : 'two';
    const names = service.hostnames.length > 0;
    expectThat(names || service.ports.length > 0, 'expected names or ports to reach a service by, found none');
    for (const host of service.hostnames) {
      const at = portAt(service, { host, container: late.port });
      expectSame(await reach(place, host, at), { said: expected }, `what the service says at ${host}`);
    }
    expectSame(
      service.ports.map(({ container }) => container),
      [late.port],
      'ports that the service reports',
    );
    for (const { host, port } of service.ports) {
      expectSame(await reach(place, host, port), { said: expected }, `what the service says at ${host}:${port}`);
    }
  }
}

/** Where a port of the service is at one of its names: as it reports, else where it is in its container. */
function portAt(
  { ports }: ServiceContainer,
  { host, container }: { readonly host: string; readonly container: number },
): number {
  return ports.find((one) => one.host === host && one.container === container)?.port ?? container;
}

async function checkHealth(stage: Stage): Promise<void> {
  const { late, unhealthy, quits } = stage.options.images ?? {};
  if (late === undefined || unhealthy === undefined || quits === undefined) {
    throw stage.skip('needs the options "images.late", "images.unhealthy" and "images.quits"');
  }
  const specs = [
    serviceSpec(late.image, 'late', { healthcheck: imageHealthcheck }),
    serviceSpec(late.image, 'unchecked', { healthcheck: noHealthcheck }),
    serviceSpec(unhealthy.image, 'unhealthy', { healthcheck: imageHealthcheck }),
    serviceSpec(quits.image, 'quits', { healthcheck: imageHealthcheck }),
  ] as const;
  const made = await openJobContainers(stage, { services: specs });
  const wait = async (at: 0 | 1 | 2 | 3): Promise<void> => {
    const service = await made.service(specs[at]);
    await within(service.waitReady(stage.context()), 45_000, `waitReady of ${specs[at].id}`);
  };
  await wait(0);
  const began = performance.now();
  await wait(1);
  stage.measure('ms for a service without a check', performance.now() - began);
  const sick = await expectRejection(wait(2), ['image', 'plan'], 'waitReady of a service that is not well');
  expectThat(sick.message.includes(unhealthy.says), `expected the words of the check, found ${show(sick.message)}`);
  const ended = await expectRejection(untilEnded(wait), ['image', 'plan'], 'waitReady of a service that ended');
  expectThat(ended.message.includes(quits.says), `expected the end of its log, found ${show(ended.message)}`);
}

/** As long as it runs, a service without a check is ready: it is asked until it has ended. */
async function untilEnded(wait: (at: 3) => Promise<void>): Promise<void> {
  const end = performance.now() + 45_000;
  while (performance.now() < end) {
    await wait(3);
    await pause(100);
  }
}

/** A field, what a step is given of it, and what it then has to print. */
type FieldProof = readonly [ContainerField, Partial<ReturnType<typeof stepSpec>>, string, string];

const proofs: readonly FieldProof[] = [
  ['env', { env: { FIELD: 'a=b "c"\nd' } }, 'printf %s "$FIELD"', 'a=b "c"\nd'],
  ['user', { options: { user: '1234:4321' } }, 'id -u; id -g', '1234\n4321\n'],
  ['hostname', { options: { hostname: 'conformance-host' } }, 'hostname', 'conformance-host\n'],
  [
    'tmpfs',
    { options: { tmpfs: { '/on-tmpfs': '' } } },
    "grep -o ' /on-tmpfs tmpfs' /proc/mounts",
    ' /on-tmpfs tmpfs\n',
  ],
  [
    'extraHosts',
    { options: { extraHosts: ['other.test:192.0.2.7'] } },
    'grep -c "^192.0.2.7.*other.test" /etc/hosts',
    '1\n',
  ],
  ['shmSize', { options: { shmSize: 33_554_432 } }, "df -k /dev/shm | awk 'END { print $2 }'", '32768\n'],
  [
    'ulimits',
    { options: { ulimits: [{ name: 'nofile', soft: 123, hard: 456 }] } },
    'ulimit -n; ulimit -H -n',
    '123\n456\n',
  ],
  ['init', { options: { init: true } }, 'test $$ -ne 1 && echo not the first', 'not the first\n'],
];

async function checkFields(stage: Stage): Promise<void> {
  const { containers: support } = stage.capabilities;
  const made = await openJobContainers(stage, { stepContainers: 'run' });
  const { workspace } = made.machine().info.paths;
  for (const [field, over, script, expected] of proofs) {
    if (support.via === 'native' && !support.fields.includes(field)) {
      const plan = { services: [], stepContainers: 'run' } as const;
      const needs = { plan, steps: [{ where: 'step 1', needs: 'run' } as const], stepFields: [field] };
      expectSame(unmet(needs, support), [`step 1 uses ${field}`], `field "${field}" is not claimed: what is refused`);
    } else {
      expectSame(await shellStep(stage, made, script, workspace, over), expected, `the effect of field "${field}"`);
    }
  }
}

async function checkSteps(stage: Stage): Promise<void> {
  const image = imageOf(stage);
  const made = await openJobContainers(stage, { stepContainers: 'run' });
  const machine = made.machine();
  const { workspace } = machine.info.paths;
  await machine.put([{ name: 'of-the-job', content: 'shared' }]);
  const seen = await shellStep(stage, made, 'pwd; cat of-the-job; echo back > of-the-step', workspace);
  expectSame(seen, `${workspace}\nshared`, 'folder and file that the container of a step found');
  expectSame(await machine.ask('cat of-the-step'), 'back\n', 'file that the container of a step made');
  const args = ['', 'a b', '"', '$(id)', 'größe\n'];
  const cmd = ['-c', 'for each; do printf "%s\\0" "$each"; done; exit 37', 'step', ...args];
  const failing = await made.step(stepSpec(image, { entrypoint: ['/bin/sh'], cmd, workdir: workspace }));
  const { result, out } = await runStep(stage, failing);
  expectSame(result, { kind: 'exited', code: 37 }, 'the result of the container of a step');
  expectSame(out.split('\0').slice(0, -1), args, 'the arguments that the container of a step saw');
  const before = await stage.inventory();
  await failing.remove(stage.context());
  await failing.remove(stage.context());
  const stop = new AbortController();
  // The first process of a container ignores what it does not ask for, and is killed at the end of all graces.
  const script = stage.lane === 'quick' ? endlessScript : 'echo on; sleep 1000';
  const endless = stepSpec(image, { entrypoint: ['/bin/sh'], cmd: ['-c', script], workdir: workspace });
  const step = await made.step(endless);
  const output = captureOutput();
  const { result: stopped } = step.run({ stdout: output.sink, stderr: output.sink }, stage.context(stop.signal));
  stopped.catch(() => {});
  await eventually(() => output.text() === 'on\n', { what: 'the step', timeoutMs: promptMs });
  await pause(50);
  stop.abort();
  expectSame((await within(stopped, 30_000, 'an aborted step')).kind, 'stopped', 'the result of an aborted step');
  await step.remove(stage.context());
  await expectInventory(stage, before, 'after containers of steps were removed');
}

async function checkJobContainer(stage: Stage, image: string): Promise<void> {
  const spec = jobSpec(image, { env: { FROM_SPEC: 'set' } });
  const made = await openJobContainers(stage, { jobContainer: spec, stepContainers: 'run' });
  const place = await made.job(spec);
  expectSame(await place.ask('exit 0'), '', 'what the job container printed');
  await place.put([{ name: 'from-runner', content: 'copied' }]);
  expectSame(await place.ask('cat from-runner; echo made > from-job'), 'copied', 'a file that was copied in');
  expectSame((await place.read(place.path('from-job'))).toString(), 'made\n', 'a file that was copied out');
  expectSame(place.target.baseEnv['FROM_SPEC'], 'set', 'variable of the specification in baseEnv');
  if (!canRunSteps(stage)) return;
  const seen = await shellStep(stage, made, 'cat from-job; echo by a step > from-step', place.info.paths.workspace);
  expectSame(seen, 'made\n', 'what the container of a step found in the workspace');
  expectSame(await place.ask('cat from-step'), 'by a step\n', 'what the job found of the step');
}
