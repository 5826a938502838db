import { readFile, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type DaemonFolder, jobHere, openDaemonFolder } from './daemon-folder.ts';

let daemon: DaemonFolder;
beforeEach(async () => {
  daemon = await openDaemonFolder();
});
afterEach(() => daemon[Symbol.asyncDispose]());

async function runnerFile(): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(daemon.folder.join('.runner'), 'utf8')) as Record<string, unknown>;
}

const registration = (): string[] => ['--instance', daemon.forgejo.url, '--token', daemon.forgejo.registrationToken];

it('registers a runner whose file the daemon takes', async () => {
  const { forgejo, folder } = daemon;
  const args = [...registration(), '--name', 'mine', '--labels', 'here:reference, other:reference'];
  const { code, stdout } = await daemon.run('register', '--no-interactive', ...args);
  expect(code).toBe(0);
  expect(stdout).not.toContain(forgejo.registrationToken);
  const registered = forgejo.runners().at(-1);
  expect(registered).toMatchObject({ name: 'mine', labels: ['here', 'other'], ephemeral: false });
  expect(await runnerFile()).toMatchObject({
    id: registered?.id,
    uuid: registered?.uuid,
    token: registered?.token,
    name: 'mine',
    address: forgejo.url,
    labels: ['here:reference', 'other:reference'],
  });
  expect((await stat(folder.join('.runner'))).mode & 0o777).toBe(0o600);
  await folder.write({ 'config.yml': 'runner: { fetch_interval: 20ms, report_interval: 20ms }' });
  const job = forgejo.addJob(jobHere('echo one'));
  const started = daemon.start('daemon', '-c', 'config.yml');
  expect(await job.ended()).toBe('success');
  await started.stop();
});

it('reads the file that the Go runner wrote, and keeps its labels up to date', async () => {
  const { uuid, token } = daemon.runner;
  const file = { WARNING: 'x', id: 3, uuid, name: 'old', token, address: daemon.forgejo.url, labels: ['old:host'] };
  await daemon.folder.write({
    '.runner': JSON.stringify(file),
    'config.yml': 'runner: { labels: ["here:reference"], fetch_interval: 20ms, report_interval: 20ms }',
  });
  const job = daemon.forgejo.addJob(jobHere('echo one'));
  const started = daemon.start('daemon', '-c', 'config.yml');
  expect(await job.ended()).toBe('success');
  await started.stop();
  expect(await runnerFile()).toMatchObject({ id: 3, uuid, token, name: 'old', labels: ['here:reference'] });
});

it('asks for what no flag says, again where an answer is wrong', async () => {
  const started = daemon.start('register');
  started.stdin.end(`nonsense\n${daemon.forgejo.url}\n${daemon.forgejo.registrationToken}\n\nhere:reference\n`);
  expect(await started.code).toBe(0);
  expect(started.stdout()).toContain('expected the address of an instance');
  expect(await runnerFile()).toMatchObject({ name: hostname(), labels: ['here:reference'] });
});

it('replaces an identity only when told so', async () => {
  await daemon.folder.write({ '.runner': '{}' });
  const refused = daemon.start('register');
  refused.stdin.end('n\n');
  expect(await refused.code).toBe(1);
  expect(await runnerFile()).toEqual({});
});

it.each([
  ['without a token', () => ['--instance', daemon.forgejo.url], 64, '--token'],
  ['with a wrong token', () => ['--instance', daemon.forgejo.url, '--token', 'wrong'], 1, 'FRR7'],
  ['with a wrong label', () => [...registration(), '--labels', ' a b :x y'], 1, 'FRR202'],
  ['with an address that is none', () => ['--instance', 'nonsense', '--token', 'x'], 1, 'expected the address'],
])('refuses to register %s', async (_, args, code, text) => {
  const ran = await daemon.run('register', '--no-interactive', ...args());
  expect(ran.stderr).toContain(text);
  expect(ran.code).toBe(code);
});

it('makes the identity of a secret that the instance knows', async () => {
  const secret = '0123456789abcdef0123456789abcdef01234567';
  const args = ['--instance', daemon.forgejo.url, '--secret', secret, '--name', 'mine'];
  expect(await daemon.run('create-runner-file', ...args)).toMatchObject({ code: 0 });
  // Each byte is a character of the secret.
  expect(await runnerFile()).toMatchObject({
    uuid: '30313233-3435-3637-3839-616263646566',
    token: secret,
    name: 'mine',
  });
  const unknown = await daemon.run('create-runner-file', ...args, '--connect');
  expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining('FRR702') });
  const short = await daemon.run('create-runner-file', '--instance', daemon.forgejo.url, '--secret', 'abc');
  expect(short).toMatchObject({ code: 64, stderr: expect.not.stringContaining('abc,') });
});
