import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { get } from 'node:https';
import { eventually, openTempFolder, type TempFolder } from '@forgejo-runner/testkit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { main } from '../../src/main.ts';
import { fakeIo } from '../fake-io.ts';
import { openTestCache, saveV1, type TestCache } from './open-test-cache.ts';

const factories = { register: () => {}, get: () => undefined, list: () => [] };
let folder: TempFolder;
beforeEach(async () => {
  folder = await openTempFolder();
});
afterEach(() => folder[Symbol.asyncDispose]());

function start(...args: readonly string[]) {
  const fake = fakeIo({ cwd: folder.path, env: { HOME: folder.path } });
  return { ...fake, code: main(args, fake.io, { factories }) };
}

async function run(...args: readonly string[]): Promise<readonly [number, string, string]> {
  const started = start(...args);
  return [await started.code, started.stdout(), started.stderr()];
}

it('runs a cache for runners that have its secret, until it is told to stop', async () => {
  const started = start('cache-server', '--dir', 'kept', '--host', '127.0.0.1', '--port', '0', '--secret', 'shared');
  const url = await eventually(() => /http:\/\/127\.0\.0\.1:\d+(?=\/\n)/.exec(started.stdout())?.[0]);
  for (const [key, repository] of [
    ['node-1', 'a.example/me/one'],
    ['node-2', 'a.example/me/one'],
    ['go', 'a.example/me/two'],
  ] as const) {
    await using runner: TestCache = await openTestCache({ server: { remote: { url, secret: 'shared' } } });
    expect((await saveV1(runner.job({ repository }), key, 'x'.repeat(2000))).status).toBe(204);
  }
  await using stranger = await openTestCache({ server: { remote: { url, secret: 'other' } } });
  expect((await saveV1(stranger.job(), 'k', 'x')).status).toBe(403);
  started.interrupt.abort(new Error('stop'));
  expect(await started.code).toBe(0);

  const [, listed] = await run('cache', 'ls', '--dir', 'kept');
  expect(listed).toMatch(/ID +REPOSITORY +SCOPE +KEY +SIZE/);
  for (const key of ['node-1', 'node-2', 'go']) expect(listed).toContain(` ${key} `);
  const [, stats] = await run('cache', 'stats', '--dir', 'kept', '--json');
  expect(JSON.parse(stats)).toStrictEqual({
    schema: 1,
    entries: 3,
    bytes: 6000,
    repositories: [
      { repository: 'a.example/me/one', entries: 2, bytes: 4000 },
      { repository: 'a.example/me/two', entries: 1, bytes: 2000 },
    ],
  });
  expect((await run('cache', 'stats', '--dir', 'kept'))[1]).toMatch(/all +3 +5\.86 KiB/);
  expect(await run('cache', 'rm', '--dir', 'kept', '--repository', 'me/one', '--key', 'node-1')).toStrictEqual([
    0,
    'Removed 1 entry (1.95 KiB)\n',
    '',
  ]);
  expect(await run('cache', 'rm', '--dir', 'kept', '3', '99')).toStrictEqual([
    1,
    'Removed 1 entry (1.95 KiB)\n',
    'No entry has the id 99\n',
  ]);
  expect(await run('cache', 'rm', '--dir', 'kept', '--all')).toStrictEqual([0, 'Removed 1 entry (1.95 KiB)\n', '']);
  expect(await run('cache', 'ls', '--dir', 'kept')).toStrictEqual([0, 'No entry is in the cache\n', '']);
});

it.each([
  [['cache-server'], 'expected a secret'],
  [['cache-server', '--secret', 's', '--port', 'x'], 'expected a port'],
  [['cache-server', '--secret', 's', '--host', '192.0.2.1'], 'expected to listen at 192.0.2.1'],
  [['cache', 'rm'], 'expected ids of entries'],
  [['cache', 'ls', '5'], 'expected nothing after ls'],
  [['cache', 'ls', '--dir', 'file/in'], 'expected a cache in'],
])('refuses %j', async (args, message) => {
  await folder.write({ file: '' });
  const [code, , stderr] = await run(...args);
  expect(code).toBeGreaterThan(0);
  expect(stderr).toContain(message);
});

it('does not touch a cache of a later version', async () => {
  const { DatabaseSync } = await import('node:sqlite');
  await folder.write({ 'kept/note': '' });
  const database = new DatabaseSync(folder.join('kept', 'index.db'));
  database.exec('PRAGMA user_version = 99');
  database.close();
  const [code, , stderr] = await run('cache', 'ls', '--dir', 'kept');
  expect([code, stderr]).toStrictEqual([1, expect.stringContaining('another version of the runner (layout 99)')]);
});

it('speaks https where it has a certificate, and does not start with half of one', async () => {
  const [key, cert] = [folder.join('key.pem'), folder.join('cert.pem')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'];
  const make = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', ...subject];
  execFileSync('openssl', [...make, '-keyout', key, '-out', cert], { stdio: 'pipe' });
  await folder.write({
    'half.yml': `cache: { tls_cert: ${cert} }`,
    'c.yml': `cache: { tls_cert: ${cert}, tls_key: ${key} }`,
  });
  const flags = ['--host', '127.0.0.1', '--secret', 'shared', '--dir', 'kept'];
  expect((await run('cache-server', '-c', 'half.yml', ...flags))[2]).toContain('no tls_key');
  const started = start('cache-server', '-c', 'c.yml', ...flags);
  const url = await eventually(() => /https:\/\/127\.0\.0\.1:\d+\//.exec(started.stdout())?.[0]);
  const [answer] = (await once(get(url, { ca: await readFile(cert) }), 'response')) as [IncomingMessage];
  expect(answer.statusCode).toBe(200);
  answer.resume();
  started.interrupt.abort(new Error('stop'));
  expect(await started.code).toBe(0);
});
