import { eventually } from '@forgejo-runner/testkit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type DaemonFolder, jobHere, openDaemonFolder, type StartedRunner } from './daemon-folder.ts';

let daemon: DaemonFolder;
let started: StartedRunner | undefined;
beforeEach(async () => {
  daemon = await openDaemonFolder();
});
afterEach(async () => {
  await started?.stop();
  await daemon[Symbol.asyncDispose]();
});

/** Starts the daemon with a health section. @returns where it listens. */
async function startWith(health: string): Promise<string> {
  await daemon.configure(`health: ${health}`);
  const runner = daemon.start('daemon', '-c', 'config.yml');
  started = runner;
  const url = await eventually(() => /metrics are served url=(\S+)/.exec(runner.stderr())?.[1], { what: 'a listener' });
  await eventually(() => runner.stderr().includes('the instance knows this runner'));
  return url;
}

it('answers probes, and is not ready while the instance is away', async () => {
  const url = await startWith('{ listen: "127.0.0.1:0" }');
  const ready = async (): Promise<number> => (await fetch(`${url}/readyz`)).status;
  expect(await (await fetch(`${url}/healthz`)).text()).toBe('ok\n');
  await eventually(async () => (await ready()) === 200);
  await daemon.forgejo.stop();
  await eventually(async () => (await ready()) === 503);
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  await daemon.forgejo.start();
  await eventually(async () => (await ready()) === 200);
});

it('is not ready while a backend is down, and says so without names', async () => {
  const url = await startWith('{ listen: "127.0.0.1:0" }');
  const ready = async (): Promise<string> => (await fetch(`${url}/readyz`)).text();
  await eventually(async () => (await ready()) === 'ready\n');
  await started?.stop();
  daemon.backend.faults.health = 'degraded';
  const again = await startWith('{ listen: "127.0.0.1:0" }');
  await eventually(async () => (await (await fetch(`${again}/readyz`)).text()) === 'ready\n');
  await started?.stop();
  daemon.backend.faults.health = 'down';
  const down = await startWith('{ listen: "127.0.0.1:0" }');
  await eventually(async () => (await (await fetch(`${down}/readyz`)).text()).endsWith('1 of 1 backends are down\n'));
  expect((await fetch(`${down}/readyz`)).status).toBe(503);
});

it('counts jobs, rows and questions', async () => {
  const url = await startWith('{ listen: "127.0.0.1:0" }');
  const job = daemon.forgejo.addJob(jobHere('seq 3; exit 1'));
  expect(await job.ended()).toBe('failure');
  await eventually(() => started?.stderr().includes('job ended'));
  const text = await (await fetch(`${url}/metrics`)).text();
  expect(text).toContain('forgejo_runner_jobs_total{result="failure",backend="reference"} 1');
  expect(text).toMatch(/forgejo_runner_log_rows_total [4-9]/);
  expect(text).toContain('forgejo_runner_capacity 2');
  expect(text).toMatch(/forgejo_runner_place_wait_seconds_count\{connection="main"\} [1-9]/);
  const backendCalls = 'forgejo_runner_backend_operation_seconds_count{backend="reference",operation=';
  for (const name of ['createEnvironment', 'remove']) expect(text).toContain(`${backendCalls}"${name}"} 1`);
  expect(text).toMatch(/forgejo_runner_api_request_seconds_count\{connection="main",method="FetchTask"\} [1-9]/);
});

it('shows jobs now with their logs, and recent ones', async () => {
  const url = await startWith('{ listen: "127.0.0.1:0" }');
  const done = daemon.forgejo.addJob(jobHere('echo first'));
  await done.ended();
  const go = daemon.folder.join('go');
  const running = daemon.forgejo.addJob({
    workflow: jobHere(`echo "<b>$PASS</b>"; until [ -e ${go} ]; do sleep 0.01; done`),
    secrets: { PASS: 'hunter2x' },
  });
  await eventually(() => running.texts().some((text) => text.includes('<b>')));
  const status: unknown = await (await fetch(`${url}/status.json`)).json();
  expect(status).toMatchObject({
    capacity: { used: 1, total: 2 },
    instances: [{ connection: 'main', url: daemon.forgejo.url }],
    backends: [{ id: 'reference', status: 'ok' }],
    jobs: [{ backend: 'reference', step: 1 }],
    recent: [{ result: 'success' }],
  });
  expect(JSON.stringify(status)).not.toContain(daemon.runner.token);
  await daemon.folder.write({ go: '' });
  await running.ended();
});

it('wants its token for all but probes', async () => {
  const url = await startWith('{ listen: "127.0.0.1:0", token: s3cret }');
  const status = async (path: string, authorization?: string): Promise<number> =>
    (await fetch(url + path, { headers: authorization === undefined ? {} : { authorization } })).status;
  expect(await status('/healthz')).toBe(200);
  for (const path of ['/', '/metrics', '/status.json', '/jobs/x/tail']) expect(await status(path)).toBe(401);
  expect(await status('/metrics', 'Bearer wrong')).toBe(401);
  expect(await status('/metrics', 'Bearer s3cret')).toBe(200);
  expect(await status('/', `Basic ${Buffer.from('admin:s3cret').toString('base64')}`)).toBe(200);
  expect((await fetch(`${url}/`, { method: 'POST' })).status).toBe(405);
});

it.each([
  ['{ listen: "0.0.0.0:0" }', 'health.token'],
  ['{ listen: ":0" }', 'health.token'],
  ['{ listen: "nonsense" }', 'host:port'],
])('refuses %s', async (health, text) => {
  await daemon.configure(`health: ${health}`);
  const { code, stderr } = await daemon.run('daemon', '-c', 'config.yml');
  expect(code).toBe(1);
  expect(stderr).toContain(text);
});

it('answers no page of a stranger that gives its name our address', async () => {
  const url = new URL(await startWith('{ listen: "127.0.0.1:0" }'));
  const { request } = await import('node:http');
  const status = await new Promise<number | undefined>((resolve) => {
    const asked = { host: url.hostname, port: url.port, path: '/status.json', headers: { host: 'evil.example' } };
    request(asked, (response) => resolve(response.resume().statusCode)).end();
  });
  expect(status).toBe(401);
});
