import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dockerDrivers } from '@forgejo-runner/core';
import '@forgejo-runner/backend-docker';
import { factory } from '@forgejo-runner/backend-host';
import { type ReferenceBackend, referenceBackend } from '@forgejo-runner/testkit';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type RunYamlOptions, runSteps } from './run-yaml.ts';
import { engineSocket, objectsOf, removeImages, testImage, whyNoEngine } from './test-engine.ts';

const runner = randomUUID();
let jobs: string;
let lack: string | undefined;

beforeAll(async () => {
  lack = await whyNoEngine();
});
beforeEach(async ({ skip }) => {
  if (lack !== undefined) skip(lack);
  jobs = await mkdtemp(join(tmpdir(), 'host-containers-'));
});
afterEach(async () => {
  const left = [...(await objectsOf(runner)), ...(await readdir(jobs)).filter((name) => name !== 'tool_cache')];
  await rm(jobs, { recursive: true, force: true });
  await removeImages(runner);
  if (left.length > 0) throw new Error(`expected nothing to be left behind, found ${left.join(', ')}`);
});

/** Runs steps on a label of the host, which has the engine of this machine. */
async function run(steps: string, options: RunYamlOptions & { readonly head?: string; readonly socket?: string } = {}) {
  const create: ReferenceBackend['factory']['create'] = (input, ctx) => {
    const config = { workdir_parent: jobs, docker: `unix://${options.socket ?? engineSocket}` };
    return factory.create({ ...input, config }, ctx);
  };
  const backend = { ...referenceBackend(), factory: { ...factory, create } };
  const driver = dockerDrivers.get()?.driver;
  if (driver === undefined) throw new Error('expected the package of the Docker backend to bring a driver');
  const ran = await runSteps(steps, { ...options, backend, driver, runner });
  return { ...ran, seen: ran.job(), result: ran.results.get('one')?.result };
}

const page = 'mkdir /www && echo hello >/www/index.html && exec httpd -f -p 8080 -h /www';

it('reaches a service on localhost', async () => {
  const head = `services:
  web:
    image: ${testImage}
    cmd: [sh, -c, "${page}"]
    ports: [8080]
    options: --health-cmd "wget -qO- http://127.0.0.1:8080/" --health-interval 1s --health-retries 30`;
  const { seen, result } = await run(
    '- run: busybox wget -qO- "http://127.0.0.1:${{ job.services.web.ports[8080] }}/"',
    { head },
  );
  expect(seen.text()).not.toContain('##[error]');
  expect(result).toBe('success');
  expect(seen.steps(0)).toEqual(['hello']);
});

it('shares workspace and command files with the container of a step', async () => {
  const { seen, result } = await run(
    `- run: echo "from the machine" > file
- id: inside
  uses: docker://${testImage}
  env: { LINES: "two\\nlines" }
  with:
    entrypoint: sh
    args: -c 'cat file; echo "$LINES"; echo made=1 >> "$GITHUB_OUTPUT"; echo KEPT=2 >> "$GITHUB_ENV"; echo by-root > other'
- run: echo "\${{ steps.inside.outputs.made }} $KEPT $(cat other)"`,
  );
  expect(seen.text()).not.toContain('##[error]');
  expect(result).toBe('success');
  expect(seen.steps(1)).toEqual(expect.arrayContaining(['from the machine', 'two', 'lines']));
  expect(seen.steps(2)).toEqual(['1 2 by-root']);
});

it('builds and runs a Docker action, and reaches services from there', async () => {
  const head = `services: { web: { image: "${testImage}", cmd: [sh, -c, "${page}"] } }`;
  const files = {
    'mine/action.yml': 'runs: { using: docker, image: Dockerfile, args: ["an argument"] }',
    'mine/Dockerfile': `FROM ${testImage}\nCOPY main.sh /main.sh\nENTRYPOINT ["sh", "/main.sh"]`,
    'mine/main.sh': 'echo "got $1"; until wget -qO- http://web:8080/; do sleep 0.1; done; exit 7',
  };
  const { seen, result } = await run('- uses: ./mine', { files, head });
  expect(result).toBe('failure');
  expect(seen.steps(0)).toEqual(expect.arrayContaining(['got an argument', 'hello']));
  expect(seen.text()).toContain('exit code 7');
});

it('runs steps in a job container, in the same folders', async () => {
  const { seen, result } = await run(
    `- id: a
  run: 'id -u; cat given; echo "made=$MINE" >> "$GITHUB_OUTPUT"; echo kept > file'
- uses: docker://${testImage}
  with: { entrypoint: cat, args: file }
- run: |
    echo "\${{ steps.a.outputs.made }} \${{ job.container.id != '' }} \${{ job.container.network != '' }}"`,
    { head: `container: { image: "${testImage}", env: { MINE: yes } }`, files: { given: 'for the job\n' } },
  );
  expect(seen.text()).not.toContain('##[error]');
  expect(result).toBe('success');
  expect(seen.steps(0)).toEqual(['0', 'for the job']);
  expect(seen.steps(1)).toContain('kept');
  expect(seen.steps(2)).toEqual(['yes true true']);
});

it('lets an image have a user of its own', async () => {
  const { seen, result } = await run(
    `- run: 'id -u; echo mine > file; echo "A=1" >> "$GITHUB_ENV"'
- run: 'echo "$A $(cat file)"'`,
    { head: `container: { image: "${testImage}", options: --user runner }` },
  );
  expect(seen.text()).not.toContain('##[error]');
  expect(result).toBe('success');
  expect([seen.steps(0), seen.steps(1)]).toEqual([['1000'], ['1 mine']]);
});

it('ends everything when a step takes too long', async () => {
  const { seen, result } = await run(
    `- { uses: "docker://${testImage}", with: { entrypoint: sleep, args: 1000 }, timeout-minutes: 0.02 }`,
  );
  expect(result).toBe('failure');
  expect(seen.text()).toContain('The step ran longer than its limit');
});

describe('bad input', () => {
  it('says that there is no engine, only where one is needed', async () => {
    const socket = join(jobs, 'none.sock');
    expect((await run('- run: "true"', { socket })).result).toBe('success');
    const { seen, result } = await run('- run: "true"', { socket, head: `services: { web: "${testImage}" }` });
    expect(result).toBe('failure');
    expect(seen.text()).toContain(socket);
    expect(seen.text()).toContain("failure of the runner's infrastructure");
  });

  it('says which image is not there', async () => {
    const { seen, result } = await run('- uses: docker://127.0.0.1:9/no/such:image');
    expect(result).toBe('failure');
    expect(seen.text()).toContain('127.0.0.1:9/no/such');
  });

  it('shows the last output of a service that quits', async () => {
    const head = `services: { web: { image: "${testImage}", cmd: [sh, -c, "echo it is broken; exit 3"], options: '--health-cmd true --health-interval 1s' } }`;
    const { seen, result } = await run('- run: "true"', { head });
    expect(result).toBe('failure');
    expect(seen.text()).toContain('it is broken');
  });
});
