import type { Backend, ContainerSupport } from '@forgejo-runner/core';
import { expect, it } from 'vitest';
import type { Value } from '../expressions/values.ts';
import type { JobResult } from '../report/job-report.ts';
import type { Task } from '../task/task.ts';
import { parseWorkflow } from '../workflow/parse-workflow.ts';
import { planJob } from './plan-job.ts';
import { noOptions } from './option-fields.ts';
import type { PlannedJob, ServedLabel } from './planned-job.ts';

const hourMs = 3_600_000;

function label(containers: ContainerSupport): ServedLabel {
  const capabilities = {
    containers,
    exec: { stdin: true, tty: false, user: false, signals: true, resume: false },
    files: { ownership: false, shared: false },
    isolation: 'none',
    recover: false,
    features: [],
  };
  return {
    configuration: { name: 'here', backend: 'host', options: {}, form: 'string' },
    // Planning never calls the backend.
    backend: {} as Backend,
    resolved: { capabilities, canonical: 'here:host', data: {} },
  };
}

const native: Extract<ContainerSupport, { via: 'native' }> = {
  via: 'native',
  job: true,
  services: true,
  steps: true,
  build: true,
  fields: ['env', 'ports', 'volumes', 'credentials'],
};

const everything = [...native.fields, 'cpus', 'healthcheck', 'entrypoint', 'cmd'];

function task(job: string, over: Partial<Task> = {}): Task {
  const indented = job.trim().replaceAll('\n', '\n    ');
  const workflow = parseWorkflow(
    `on: push\nenv: { A: workflow, B: "\${{ env.A }}-b" }\njobs:\n  one:\n    ${indented}\n`,
    'w.yml',
  );
  const [first] = workflow.jobs.values();
  if (first === undefined) throw new Error('no job');
  return {
    id: '1',
    attempt: 1,
    workflow,
    job: first,
    matrix: new Map(),
    strategy: { failFast: true, maxParallel: 1, jobIndex: 0, jobTotal: 1 },
    github: new Map<string, Value>([['ref_name', 'main']]),
    inputs: new Map(),
    secrets: new Map([['PASS', 'hunter2']]),
    vars: new Map(),
    needs: new Map(),
    before: [],
    ...over,
  };
}

async function plan(
  job: string,
  over: Partial<Task> & { containers?: ContainerSupport; validVolumes?: readonly string[] } = {},
) {
  const served = label(over.containers ?? { via: 'none' });
  return planJob(task(job, over), {
    labels: { get: (name) => (name === 'here' ? served : undefined), names: () => ['here'] },
    maxTimeoutMs: hourMs,
    policy: {
      defaults: noOptions,
      granted: [],
      privileged: false,
      validVolumes: over.validVolumes ?? ['**'],
      forcePull: false,
    },
  });
}

async function planned(...args: Parameters<typeof plan>): Promise<PlannedJob> {
  const result = await plan(...args);
  if (result.kind !== 'run') throw new Error(`skipped: ${result.because}`);
  return result.job;
}

const steps = 'runs-on: here\nsteps: [{ run: "true" }]';

it('evaluates variables of the workflow and of the job, each seeing the others', async () => {
  expect((await planned(steps)).env).toEqual(
    new Map([
      ['A', 'workflow'],
      ['B', 'workflow-b'],
    ]),
  );
  const job = await planned(
    `env: { C: "\${{ env.B }}-c-\${{ env.D }}-\${{ env.E }}", A: job, D: 1, E: "\${{ env.D }}" }\n${steps}`,
  );
  expect(job.env).toEqual(
    new Map([
      ['A', 'job'],
      ['B', 'job-b'],
      // What is further down counts where it is plain text.
      ['C', 'job-b-c-1-'],
      ['D', '1'],
      ['E', '1'],
    ]),
  );
});

it('lets the last one count where a name is set twice by an expression', async () => {
  const env = `env:
  A: plain
  \${{ insert }}: \${{ fromJSON('{"A":"in","F":2}') }}
  G: \${{ env.A }}\${{ env.F }}`;
  expect(Object.fromEntries((await planned(`${env}\n${steps}`)).env)).toEqual({
    A: 'in',
    B: 'plain-b',
    F: '2',
    G: 'in2',
  });
});

it.each<[string, string, number]>([
  ['the limit of the runner where the job has none', '', hourMs],
  ['its own limit', 'timeout-minutes: 5', 300_000],
  ['a fraction of a minute', 'timeout-minutes: 0.5', 30_000],
  ['an expression', "timeout-minutes: ${{ fromJSON('2') }}", 120_000],
  ['never more than the limit of the runner', 'timeout-minutes: 600', hourMs],
])('gives a job %s', async (_, line, expected) => {
  expect((await planned(`${line}\n${steps}`.trim())).timeoutMs).toBe(expected);
});

it.each(['0', '-1', "${{ 'x' }}"])('refuses a limit of %s minutes', async (text) => {
  await expect(plan(`timeout-minutes: ${text}\n${steps}`)).rejects.toThrow(
    'expected timeout-minutes to be a number above 0',
  );
});

it.each<[string, string, readonly JobResult[], 'run' | 'skip']>([
  ['runs without needs', '', [], 'run'],
  ['runs after successes', '', ['success', 'success'], 'run'],
  ['is skipped after a failure', '', ['success', 'failure'], 'skip'],
  ['is skipped after a skipped job', '', ['skipped'], 'skip'],
  ['runs always', 'if: always()', ['failure'], 'run'],
  ['runs on failure', 'if: failure()', ['failure'], 'run'],
  ['does not run on failure without one', 'if: failure()', ['success'], 'skip'],
  ['is skipped when a job before it was cancelled', '', ['cancelled'], 'skip'],
  ['runs on cancellation', 'if: ${{ cancelled() }}', ['cancelled'], 'run'],
  ['keeps the implicit success()', "if: github.ref_name == 'main'", ['failure'], 'skip'],
  ['takes conditions', "if: github.ref_name == 'other'", [], 'skip'],
])('%s', async (_, line, before, kind) => {
  expect((await plan(`${line}\n${steps}`.trim(), { before })).kind).toBe(kind);
});

it('names a job after its matrix', async () => {
  const matrix = new Map<string, Value>([
    ['os', 'linux'],
    ['n', 3],
  ]);
  expect((await planned(steps, { matrix })).name).toBe('one (linux, 3)');
  expect((await planned(`name: "it \${{ matrix.n }}"\n${steps}`, { matrix })).name).toBe('it 3');
});

it('refuses a job that needs containers, naming everything, before anything starts', async () => {
  const job = 'container: alpine\nservices: { db: postgres }\nruns-on: here\nsteps: [{ uses: "docker://alpine" }]';
  await expect(plan(job)).rejects.toThrow(
    'w.yml:4:3: label "here" (backend host) cannot run this job: the job needs a container; services.db needs a container; step 1 (docker://alpine) needs a container. Nothing was started',
  );
});

it('plans the containers of a job', async () => {
  const job = `container:
  image: "docker://registry.example/ci:\${{ github.ref_name }}"
  env: { X: 1 }
  ports: [80, "8080:81/udp"]
  volumes: ["cache:/cache", "/data:/data:ro", "/anonymous"]
  credentials: { username: me, password: "\${{ secrets.PASS }}" }
services:
  db: { image: postgres }
  none: { image: "" }
runs-on: here
steps: [{ run: "true" }]`;
  await expect(plan(job, { containers: native })).rejects.toThrow(
    'expected an image in services.none, found an empty one',
  );
  const { containers } = await planned(job.replace('  none: { image: "" }\n', ''), { containers: native });
  expect(containers.jobContainer).toMatchObject({
    image: 'registry.example/ci:main',
    env: { X: '1' },
    ports: [
      { container: 80, protocol: 'tcp' },
      { container: 81, host: 8080, protocol: 'udp' },
    ],
    mounts: [
      { source: 'cache', target: '/cache', readOnly: false },
      { source: '/data', target: '/data', readOnly: true },
      { source: '', target: '/anonymous', readOnly: false },
    ],
    credentials: { username: 'me', password: 'hunter2' },
  });
  expect(containers.services.map(({ id, image }) => [id, image])).toEqual([['db', 'postgres']]);
});

it.each<[string, string]>([
  ['ports: [http]', 'expected [host:]container[/tcp|/udp] in container.ports, found "http"'],
  ['ports: [99999]', 'expected [host:]container[/tcp|/udp] in container.ports, found "99999"'],
  ['volumes: ["a:b:c:d"]', 'expected source:target[:ro] in container.volumes, found "a:b:c:d"'],
  ['credentials: { username: me }', 'expected username and password in container.credentials, both not empty'],
  ['env: [A]', 'expected container.env to be a mapping'],
  ['env: { "A=B": 1 }', 'expected names without "=" and values without zero bytes in container.env, found "A=B"'],
  ['options: [--init]', 'container.options: expected one text with all options'],
  ['volumes: [./data:/x]', 'expected an absolute path or the name of a volume to mount in container, found "./data"'],
])('refuses a container with %s', async (line, message) => {
  const job = `container:\n  image: a\n  ${line}\n${steps}`;
  await expect(plan(job, { containers: native })).rejects.toThrow(message);
});

it('has no container where its expression comes out empty', async () => {
  expect((await planned(`container: "\${{ matrix.image }}"\n${steps}`)).containers.jobContainer).toBeUndefined();
});

it('refuses remote actions where there is no store of them, all at once', async () => {
  const job = 'runs-on: here\nsteps:\n- uses: actions/checkout@v4\n- run: "true"\n- uses: acme/scan@v2';
  await expect(plan(job)).rejects.toThrow(/:7:\d+: .*"actions\/checkout@v4".*\n.*:9:\d+: .*"acme\/scan@v2"/);
});

it('does not take a job for a place of its own that calls a workflow', async () => {
  const planning = plan('uses: ./called.yml\nruns-on: here');
  await expect(planning).rejects.toMatchObject({
    code: 'FRR504',
    message: 'w.yml:4:3: expected a job with steps, found "one", which calls a workflow',
  });
});

it('takes options of containers apart', async () => {
  const job = `container: { image: a, options: "--cpus 1 --health-cmd true --rm" }
services:
  db:
    image: postgres
    options: >-
      --health-cmd "pg_isready -U 'x'" --health-interval 10s
      -e A=1 --network-alias pg -p 5432:5432 --entrypoint run
    env: { B: 2 }
    command: serve --name "two words"
  plain: { image: redis, entrypoint: [a, b], cmd: [c] }
${steps}`;
  const { containers, notices } = await planned(job, { containers: { ...native, fields: everything } });
  expect(containers.jobContainer?.options).toMatchObject({
    cpus: 1,
    healthcheck: { test: ['CMD-SHELL', 'true'], intervalMs: 30_000, retries: 3 },
  });
  expect(containers.services).toMatchObject([
    {
      id: 'db',
      aliases: ['db', 'pg'],
      env: { A: '1', B: '2' },
      ports: [{ container: 5432, host: 5432, protocol: 'tcp' }],
      entrypoint: ['run'],
      cmd: ['serve', '--name', 'two words'],
      healthcheck: { test: ['CMD-SHELL', "pg_isready -U 'x'"], intervalMs: 10_000, timeoutMs: 30_000 },
    },
    {
      id: 'plain',
      aliases: ['plain'],
      entrypoint: ['a', 'b'],
      cmd: ['c'],
      healthcheck: { test: 'image', intervalMs: 0, timeoutMs: 0, retries: 0, startPeriodMs: 0 },
    },
  ]);
  expect(notices.map(({ message }) => message)).toEqual([
    'container.options: --rm changes nothing: the runner decides that',
  ]);
});

it('places what is wrong with options, of all containers at once', async () => {
  const job = `container: { image: a, volumes: [x] }
services:
  db:
    image: b
    options: --nope
${steps}`;
  await expect(plan(job, { containers: native })).rejects.toThrow(
    /w\.yml:5:37: expected source:target\[:ro\] in container\.volumes, found "x"\n.*w\.yml:9:18: services\.db\.options: .*"--nope"/,
  );
});

it('refuses what the administrator does not allow, before it asks what the label can do', async () => {
  const job = `container: { image: a, volumes: [/etc:/x] }\n${steps}`;
  const error = await plan(job, { containers: { via: 'none' }, validVolumes: [] }).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    code: 'FRR505',
    message: expect.stringContaining('container: jobs of this runner may not mount "/etc"'),
  });
});

it('mounts what it allowed, in the form that it looked at', async () => {
  const job = `container: { image: a, volumes: ["/srv/x/..//data/:/x"] }\n${steps}`;
  const { containers } = await planned(job, { containers: native, validVolumes: ['/srv/data'] });
  expect(containers.jobContainer?.mounts).toEqual([{ source: '/srv/data', target: '/x', readOnly: false }]);
});
