import { afterEach, beforeEach, expect, it } from 'vitest';
import { type DaemonFolder, openDaemonFolder } from './daemon-folder.ts';

let daemon: DaemonFolder;
beforeEach(async () => {
  daemon = await openDaemonFolder();
});
afterEach(() => daemon[Symbol.asyncDispose]());

it('shows what counts and where it comes from, without secrets', async () => {
  const { runner, forgejo } = daemon;
  await daemon.configure(
    'log: { job_level: debug }\ncache: { secret: abc123 }',
    '  capacity: 2\n  envs: { PASS: hunter2x }',
  );
  const { code, stdout, stderr } = await daemon.run('config', 'check', '-c', 'config.yml', '--json');
  expect(code).toBe(0);
  const answer = JSON.parse(stdout) as { readonly values: readonly { readonly key: string }[] };
  const valueOf = (key: string): unknown => answer.values.find((one) => one.key === key);
  expect(valueOf('runner.capacity')).toEqual({ key: 'runner.capacity', value: 2, from: 'config.yml:3:13' });
  expect(valueOf('runner.timeout')).toEqual({ key: 'runner.timeout', value: '3h', from: 'default' });
  expect(valueOf('cache.secret')).toMatchObject({ value: '***' });
  expect(valueOf('runner.envs')).toMatchObject({ value: { PASS: '***' } });
  expect(valueOf('server.connections.main.token')).toMatchObject({ value: '***' });
  expect(answer).toMatchObject({
    labels: [{ label: 'here:reference' }],
    connections: [{ name: 'main', url: forgejo.url, uuid: runner.uuid, from: 'server.connections' }],
    warnings: [expect.stringContaining('log.job_level changes nothing')],
  });
  for (const secret of [runner.token, 'hunter2x', 'abc123']) expect(stdout + stderr).not.toContain(secret);
});

it('shows the same to people', async () => {
  await daemon.configure();
  const { code, stdout } = await daemon.run('config', 'check', '-c', 'config.yml');
  expect(code).toBe(0);
  expect(stdout).toMatch(/runner\.capacity +2 +config\.yml:3:13/);
  expect(stdout).toMatch(/main +http/);
  expect(stdout).toMatch(/here:reference +all/);
});

it('tells all that is wrong at once', async () => {
  await daemon.configure('backend: { k8s: {} }', '  capasity: 2');
  const { code, stderr } = await daemon.run('config', 'check', '-c', 'config.yml');
  expect(code).toBe(1);
  expect(stderr).toContain('config.yml:3:3: unknown key "capasity"');
  expect(stderr).toContain('no backend "k8s"');
});

it('prints the schema of the file', async () => {
  const { code, stdout } = await daemon.run('config', 'schema');
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ properties: { runner: {} } });
});
