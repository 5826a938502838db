import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import artifact from '@actions/artifact';
import { getIDToken } from '@actions/core';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { instanceArtifacts } from '../../src/cache/instance-artifacts.ts';
import { type DaemonFolder, jobHere, openDaemonFolder } from '../daemon-folder.ts';
import { openTestCache } from './open-test-cache.ts';

// What the instance of a job offers it, through the runner and beside it.

interface Asked {
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: string;
}

let instance: Server;
let url: string;
let asked: Asked[];
let answer: { status: number; type: string; body: string };

beforeEach(async () => {
  asked = [];
  answer = { status: 200, type: 'application/json', body: '{}' };
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(request);
    asked.push({ path: request.url ?? '', authorization: request.headers.authorization, body });
    response.writeHead(answer.status, { 'content-type': answer.type }).end(answer.body);
  };
  instance = createServer((request, response) => void take(request, response));
  await once(instance.listen(0, '127.0.0.1'), 'listening');
  // An address of a TCP server is never a text.
  url = `http://127.0.0.1:${(instance.address() as AddressInfo).port}`;
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  instance.close();
});

async function text(request: IncomingMessage): Promise<string> {
  return Buffer.concat(await request.toArray()).toString('utf8');
}

function token(): string {
  const claims = Buffer.from(JSON.stringify({ scp: 'Actions.Results:7:9' })).toString('base64url');
  return `e30.${claims}.x`;
}

it('hands calls for artifacts on to the instance, below its path and with the token of the job', async () => {
  await using opened = await openTestCache();
  const artifacts = instanceArtifacts({ url: `${url}/forge/`, token: token(), insecure: false, env: {} });
  const key = opened.server.keys.add(
    { access: { job: '1', repository: 'r', read: [''], write: '' }, artifacts },
    token(),
  );
  vi.stubEnv('ACTIONS_RESULTS_URL', `${opened.origin}/`);
  vi.stubEnv('ACTIONS_RUNTIME_TOKEN', token());
  vi.stubEnv('GITHUB_SERVER_URL', 'https://github.com');
  answer = { ...answer, body: JSON.stringify({ artifacts: [{ database_id: '5', name: 'built', size: '10' }] }) };
  const listed = await artifact.listArtifacts();
  expect(listed.artifacts).toMatchObject([{ id: 5, name: 'built', size: 10 }]);
  expect(asked).toStrictEqual([
    {
      path: '/forge/twirp/github.actions.results.api.v1.ArtifactService/ListArtifacts',
      authorization: `Bearer ${token()}`,
      body: expect.stringContaining('"workflow_run_backend_id":"7"'),
    },
  ]);
  key[Symbol.dispose]();
  await expect(artifact.listArtifacts()).rejects.toThrow('401');
});

it.each([
  [
    'a page instead of the service',
    { status: 404, type: 'text/html', body: '<h1>Not found</h1>' },
    501,
    'no artifacts of version 4',
  ],
  [
    'a refusal',
    { status: 403, type: 'application/json', body: '{"code":"permission_denied","msg":"no"}' },
    403,
    '"no"',
  ],
])('answers with what the instance says: %s', async (_what, given, status, words) => {
  answer = given;
  const got = await instanceArtifacts({ url, token: 't', insecure: false, env: {} })(
    { method: 'ListArtifacts', body: Buffer.from('{}'), base: '', job: '1' },
    new AbortController().signal,
  );
  expect([got.status, Buffer.from(got.body).toString()]).toStrictEqual([status, expect.stringContaining(words)]);
});

it('says when the instance is not there', async () => {
  instance.close();
  const got = await instanceArtifacts({ url, token: 't', insecure: false, env: {} })(
    { method: 'ListArtifacts', body: Buffer.from('{}'), base: '', job: '1' },
    new AbortController().signal,
  );
  expect([got.status, Buffer.from(got.body).toString()]).toStrictEqual([503, expect.stringContaining('not reached')]);
});

it('lets the client of @actions/core ask for an identity token', async () => {
  answer = { ...answer, body: '{"value":"identity"}' };
  vi.stubEnv('ACTIONS_ID_TOKEN_REQUEST_URL', `${url}/idtoken?placeholder=true`);
  vi.stubEnv('ACTIONS_ID_TOKEN_REQUEST_TOKEN', 'request-token');
  expect(await getIDToken('https://cloud.example')).toBe('identity');
  expect(asked).toMatchObject([
    { path: '/idtoken?placeholder=true&audience=https%3A%2F%2Fcloud.example', authorization: 'Bearer request-token' },
  ]);
});

async function withDaemon(use: (daemon: DaemonFolder) => Promise<void>): Promise<void> {
  await using daemon = await openDaemonFolder();
  await daemon.configure();
  await use(daemon);
}

it('gives jobs of an instance all variables, and a cache that outlives the runner', async () => {
  await withDaemon(async (daemon) => {
    const save = `node -e '
      const base = process.env.ACTIONS_CACHE_URL + "_apis/artifactcache/";
      (async () => {
        const { cacheId } = await (await fetch(base + "caches", { method: "POST", body: JSON.stringify({ key: "k", version: "v" }) })).json();
        await fetch(base + "caches/" + cacheId, { method: "PATCH", body: "kept", headers: { "content-range": "bytes 0-3/*" } });
        console.log("saved", (await fetch(base + "caches/" + cacheId, { method: "POST", body: JSON.stringify({ size: 4 }) })).status);
      })();'`;
    const load = `node -e '
      (async () => {
        const found = await (await fetch(process.env.ACTIONS_CACHE_URL + "_apis/artifactcache/cache?keys=k&version=v")).json();
        console.log("loaded", await (await fetch(found.archiveLocation)).text());
      })();'`;
    const look = 'env | grep -o "^ACTIONS_[A-Z0-9_]*" | sort';
    const first = daemon.forgejo.addJob(jobHere(save, look));
    const started = daemon.start('-c', 'config.yml', 'daemon');
    expect(await first.ended()).toBe('success');
    await started.stop();
    expect(first.stepTexts(0)).toContain('saved 204');
    expect(first.stepTexts(1)).toStrictEqual([
      'ACTIONS_CACHE_SERVICE_V2',
      'ACTIONS_CACHE_URL',
      'ACTIONS_RESULTS_URL',
      'ACTIONS_RUNTIME_TOKEN',
      'ACTIONS_RUNTIME_URL',
    ]);
    const second = daemon.forgejo.addJob(jobHere(load));
    const again = daemon.start('-c', 'config.yml', 'daemon');
    expect(await second.ended()).toBe('success');
    await again.stop();
    expect(second.stepTexts(0)).toContain('loaded kept');
    const { stdout } = await daemon.run('cache', '-c', 'config.yml', 'ls', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ entries: [{ key: 'k', size: 4 }] });
  });
});

it('says in the log of a job why it has no identity tokens, and hands over the way to them where there is one', async () => {
  await withDaemon(async (daemon) => {
    const script = jobHere('echo "at [$ACTIONS_ID_TOKEN_REQUEST_URL]"');
    const asking = `${script}enable-openid-connect: true\n`;
    const old = daemon.forgejo.addJob({ workflow: asking, context: { forgejo_server_version: '11.0.0' } });
    const github = daemon.forgejo.addJob(`${script}permissions: { id-token: write }\n`);
    const request = { url: 'https://id.example/x', token: 'request-token' };
    const able = daemon.forgejo.addJob({
      workflow: asking,
      context: {
        forgejo_actions_id_token_request_url: request.url,
        forgejo_actions_id_token_request_token: request.token,
      },
    });
    const started = daemon.start('-c', 'config.yml', 'daemon');
    for (const job of [old, github, able]) expect(await job.ended()).toBe('success');
    await started.stop();
    expect(old.texts().join('\n')).toMatch(/no identity tokens, although .* from Forgejo 15 on.*this one is 11\.0\.0/);
    expect(github.texts().join('\n')).toContain('enable-openid-connect: true asks for them');
    expect(able.texts().join('\n')).not.toContain('no identity tokens');
    expect(able.stepTexts(0)).toContain(`at [${request.url}]`);
  });
});

it('says in the log of a job that its summaries have no place on the instance', async () => {
  await withDaemon(async (daemon) => {
    const job = daemon.forgejo.addJob(jobHere('echo "# Built" >> "$GITHUB_STEP_SUMMARY"'));
    const started = daemon.start('-c', 'config.yml', 'daemon');
    expect(await job.ended()).toBe('success');
    await started.stop();
    expect(job.texts().filter((text) => text.includes('Summaries of steps are not shown'))).toHaveLength(1);
  });
});

it('offers the first API alone where a cache server elsewhere knows no other', async () => {
  answer = { ...answer, status: 404, body: '404 page not found' };
  await using daemon = await openDaemonFolder();
  await daemon.configure(`cache: { external_server: "${url}/", secret: s }`);
  const job = daemon.forgejo.addJob(jobHere('env | grep -o "^ACTIONS_[A-Z0-9_]*=.*" | sort'));
  const started = daemon.start('-c', 'config.yml', 'daemon');
  expect(await job.ended()).toBe('success');
  await started.stop();
  const rows = job.stepTexts(0);
  expect(rows.some((row) => row.startsWith('ACTIONS_CACHE_URL='))).toBe(true);
  expect(rows.some((row) => row.startsWith('ACTIONS_CACHE_SERVICE_V2='))).toBe(false);
  expect(rows).toContain(`ACTIONS_RESULTS_URL=${daemon.forgejo.url}`);
});
