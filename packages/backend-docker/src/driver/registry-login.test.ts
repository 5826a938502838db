import { callContext, openTempFolder, type TempFolder } from '@forgejo-runner/testkit';
import { chmod } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { findRegistryLogin } from './registry-login.ts';

let folder: TempFolder;

beforeEach(async () => {
  folder = await openTempFolder();
  vi.stubEnv('DOCKER_CONFIG', folder.path);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await folder[Symbol.asyncDispose]();
});

const basic = (text: string): string => Buffer.from(text).toString('base64');

async function config(content: unknown): Promise<void> {
  await folder.write({ 'config.json': typeof content === 'string' ? content : JSON.stringify(content) });
}

/** A helper as a script, found by the search path. */
async function helper(name: string, script: string): Promise<void> {
  const file = `bin/docker-credential-${name}`;
  await folder.write({ [file]: `#!/bin/sh\n${script}\n` });
  await chmod(folder.join(file), 0o755);
  vi.stubEnv('PATH', `${folder.join('bin')}:${process.env['PATH']}`);
}

describe('credentials of a workflow', () => {
  it('are for the registry of their image', async () => {
    const login = await findRegistryLogin('code.example', { username: 'u', password: 'p' }, callContext());
    expect(login).toEqual({
      auth: { username: 'u', password: 'p', serveraddress: 'code.example' },
      source: 'workflow',
    });
  });

  it('are shown to no other registry than the one that they name', async () => {
    const credentials = { username: 'u', password: 'p', server: 'https://code.example/v2/' };
    expect(await findRegistryLogin('evil.example', credentials, callContext())).toBeUndefined();
    expect((await findRegistryLogin('code.example', credentials, callContext()))?.source).toBe('workflow');
  });
});

describe('logins of the administrator', () => {
  it.each([
    ['code.example', 'code.example'],
    ['https://code.example/v1/', 'code.example'],
    ['https://index.docker.io/v1/', 'docker.io'],
    ['docker.io', 'docker.io'],
    ['localhost:5000', 'localhost:5000'],
  ])('in a file are found by their address: %s', async (key, registry) => {
    await config({ auths: { 'other.example': { auth: basic('x:y') }, [key]: { auth: basic('user:pass:word') } } });
    const login = await findRegistryLogin(registry, undefined, callContext());
    expect(login).toMatchObject({ auth: { username: 'user', password: 'pass:word' }, source: 'administrator' });
  });

  it('are shown to nobody whose name only begins alike', async () => {
    await config({ auths: { 'code.example': { auth: basic('u:p') } } });
    for (const registry of ['code.example.evil', 'code.example:8080', 'example', 'evil-code.example']) {
      expect(await findRegistryLogin(registry, undefined, callContext())).toBeUndefined();
    }
  });

  it.each([
    [{ identitytoken: 'tok' }, { identitytoken: 'tok' }],
    [{ registrytoken: 'tok' }, { registrytoken: 'tok' }],
    [
      { username: 'u', password: 'p' },
      { username: 'u', password: 'p' },
    ],
    [{ auth: basic('u:p'), identitytoken: 'tok' }, { identitytoken: 'tok' }],
  ])('may be %j', async (entry, auth) => {
    await config({ auths: { 'code.example': entry } });
    expect((await findRegistryLogin('code.example', undefined, callContext()))?.auth).toEqual({
      ...auth,
      serveraddress: 'code.example',
    });
  });

  it.each([
    '{',
    '[]',
    'null',
    '{"auths":1}',
    '{"auths":{"code.example":null}}',
    '{"auths":{"code.example":{"auth":"!"}}}',
    '{"credsStore":5}',
  ])('of a file that says %s are none', async (content) => {
    await config(content);
    expect(await findRegistryLogin('code.example', undefined, callContext())).toBeUndefined();
  });

  it('are none without a file, about which nobody is told', async () => {
    const ctx = callContext();
    expect(await findRegistryLogin('code.example', undefined, ctx)).toBeUndefined();
    expect(ctx.logged).toEqual([]);
  });

  it('never stand in a message about a broken file', async () => {
    await config('{"auths": {"code.example": {"auth": "c2VjcmV0OnNlY3JldA=="}} secret');
    const ctx = callContext();
    await findRegistryLogin('code.example', undefined, ctx);
    expect(ctx.logged).toHaveLength(1);
    expect(JSON.stringify(ctx.logged)).not.toMatch(/secret|c2Vj/);
  });
});

describe('a credential helper', () => {
  const answer = `read server; printf '{"ServerURL":"%s","Username":"helped","Secret":"for-%s"}' "$server" "$server"`;

  it('of one registry is asked for that one', async () => {
    await helper('one', answer);
    await config({ credHelpers: { 'code.example': 'one' }, auths: { 'other.example': { auth: basic('u:p') } } });
    expect((await findRegistryLogin('code.example', undefined, callContext()))?.auth).toEqual({
      username: 'helped',
      password: 'for-code.example',
      serveraddress: 'code.example',
    });
    expect((await findRegistryLogin('other.example', undefined, callContext()))?.auth).toMatchObject({ username: 'u' });
  });

  it('for everything knows the default registry by its old address', async () => {
    await helper('all', answer);
    await config({ credsStore: 'all' });
    expect((await findRegistryLogin('docker.io', undefined, callContext()))?.auth).toMatchObject({
      password: 'for-https://index.docker.io/v1/',
    });
  });

  it('may give a token', async () => {
    await helper('token', `cat > /dev/null; echo '{"Username":"<token>","Secret":"tok"}'`);
    await config({ credsStore: 'token' });
    expect((await findRegistryLogin('code.example', undefined, callContext()))?.auth).toEqual({
      identitytoken: 'tok',
      serveraddress: 'code.example',
    });
  });

  it('that knows nothing leaves the file to say it', async () => {
    await helper('empty', 'cat > /dev/null; echo "credentials not found in native keychain"; exit 1');
    await config({ credsStore: 'empty', auths: { 'code.example': { auth: basic('u:p') } } });
    const ctx = callContext();
    expect((await findRegistryLogin('code.example', undefined, ctx))?.auth).toMatchObject({ username: 'u' });
    expect(ctx.logged).toEqual([]);
  });

  it.each([
    ['exit 3', 'ended with code 3'],
    ['echo "not json"', 'did not answer with JSON'],
    ['echo "{}"', 'without Username and Secret'],
    ['yes', 'ended with code none'],
  ])('that fails is told of, and images without a login still work: %s', async (script, message) => {
    await helper('bad', script);
    await config({ credsStore: 'bad' });
    const ctx = callContext();
    expect(await findRegistryLogin('code.example', undefined, ctx)).toBeUndefined();
    expect(ctx.logged).toMatchObject([{ level: 'warn', message: expect.stringContaining(message) }]);
  });

  it('that is missing or has no proper name is told of', async () => {
    for (const [name, message] of [
      ['missing-one', 'is not in the PATH'],
      ['../../bin/sh', 'expected the name'],
    ] as const) {
      await config({ credsStore: name });
      const ctx = callContext();
      expect(await findRegistryLogin('code.example', undefined, ctx)).toBeUndefined();
      expect(ctx.logged[0]?.message).toContain(message);
    }
  });

  it('is ended when the job is cancelled', async () => {
    await helper('slow', 'exec sleep 1000');
    await config({ credsStore: 'slow' });
    const stop = new AbortController();
    const asking = findRegistryLogin('code.example', undefined, callContext(stop.signal));
    stop.abort();
    expect(await asking).toBeUndefined();
  });
});
