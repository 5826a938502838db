import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { factory as host } from '@forgejo-runner/backend-host';
import type { BackendFactory, FactoryRegistry } from '@forgejo-runner/core';
import { callContext, type GitServer, openTempFolder, startGitServer, type TempFolder } from '@forgejo-runner/testkit';
import { build } from 'esbuild';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { main } from '../../src/main.ts';
import { openActionSource } from '../../src/steps/actions/action-source.ts';
import { openActionStore } from '../../src/steps/actions/action-store.ts';
import { systemGit } from '../../src/steps/actions/system-git.ts';
import { fakeIo } from '../fake-io.ts';
import { type RunYamlOptions, runSteps } from '../run-yaml.ts';

const token = 'job-token-4711';

let folder: TempFolder;
let server: GitServer;

beforeEach(async () => {
  folder = await openTempFolder();
  const wanted = Buffer.from(`x-access-token:${token}`).toString('base64');
  server = await startGitServer({
    authorize: (repository, authorization) =>
      repository.startsWith('private/') && authorization?.split(' ')[1] !== wanted ? 401 : undefined,
  });
});

afterEach(async () => {
  await server[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

/** One file with `@actions/core` in it, as published actions are. */
async function bundled(source: string): Promise<string> {
  const built = await build({
    stdin: {
      contents: `import * as core from '@actions/core';\n${source}`,
      resolveDir: fileURLToPath(new URL('.', import.meta.url)),
    },
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    write: false,
    logLevel: 'silent',
  });
  return built.outputFiles.map(({ text }) => text).join('');
}

/** Publishes an action as `acme/<name>`. `definition` are further keys of it. */
async function publish(name: string, source: string, definition = ''): Promise<void> {
  await server.commit(`acme/${name}`, {
    'action.yml': `name: ${name}\nruns: { using: node20, main: index.js, post: index.js }\n${definition}`,
    'index.js': await bundled(source),
  });
}

async function run(steps: string, options: RunYamlOptions = {}) {
  const git = systemGit(process.env);
  const store = openActionStore({ folder: folder.join('store'), git, log: callContext().log });
  const actions = openActionSource(store, { defaultUrl: server.url });
  return (await runSteps(steps, { actions, ...options })).job();
}

/** Runs a workflow in `exec` on the host backend, with a login for its instance. */
async function exec(workflow: string) {
  await folder.write({ 'work/.forgejo/workflows/w.yml': workflow });
  await server.git('work', 'init', '--quiet', '--bare');
  // Tools of an earlier run must not be found.
  const config = { workdir_parent: folder.join('host') };
  const factory: BackendFactory = { ...host, create: (input, ctx) => host.create({ ...input, config }, ctx) };
  const factories: FactoryRegistry = {
    register: () => {},
    get: (id) => (id === host.id ? { factory } : undefined),
    list: () => [{ factory }],
  };
  const env = { HOME: folder.join('home'), NO_COLOR: '1', PATH: process.env['PATH'] ?? '' };
  const { io, stdout, stderr } = fakeIo({ env, cwd: folder.join('work') });
  const instance = ['--default-actions-url', server.url, '--forgejo-instance', server.url];
  const args = ['exec', '-P', 'here=host', ...instance, '-s', `GITHUB_TOKEN=${token}`, '--insecure-secrets'];
  return { code: await main(args, io, { factories }), stdout: stdout(), stderr: stderr() };
}

it('runs an action that uses what @actions/core offers', async () => {
  await publish(
    'kit',
    `
if (core.getState('seen') !== '') {
  core.info('post saw ' + core.getState('seen'));
} else {
  core.saveState('seen', { by: 'main' });
  core.info(JSON.stringify([core.getInput('my name', { required: true }), core.getBooleanInput('flag'), core.getMultilineInput('lines')]));
  core.setOutput('json', { a: [1, 'two\\nlines'] });
  core.exportVariable('EXPORTED', 'first\\nsecond');
  core.addPath('/added/by/action');
  core.setSecret('hunter2-secret');
  core.info('the secret is hunter2-secret');
  core.startGroup('a group'); core.info('in the group'); core.endGroup();
  core.warning('look: 100%\\nhere', { title: 'A, title', file: 'a.c', startLine: 3 });
  core.notice('noted');
  core.debug('not shown');
  core.summary.addHeading('Report').addRaw('hunter2-secret').write();
}`,
    'inputs: { my name: { required: true }, flag: {}, lines: {} }',
  );
  const job = await run(`
- id: kit
  uses: acme/kit@main
  with: { my name: " me ", flag: "TRUE", lines: "one\\n\\n two" }
- run: 'echo "$EXPORTED|\${{ fromJSON(steps.kit.outputs.json).a[1] }}|$PATH"'`);
  expect(job.result).toBe('success');
  const text = job.text();
  expect(text).toContain('["me",true,["one","two"]]');
  expect(text).toMatch(/first\nsecond\|two\nlines\|\/added\/by\/action:/);
  expect(text).toContain('the secret is ***');
  expect(text).not.toContain('hunter2');
  expect(text).toContain('in the group');
  expect(text).not.toContain('not shown');
  expect(text).toContain('post saw {"by":"main"}');
  expect(job.summaries.join('')).toContain('<h1>Report</h1>');
  expect(job.summaries.join('')).not.toContain('hunter2');
  expect(job.annotations).toMatchObject([
    { level: 'warning', message: 'look: 100%\nhere', title: 'A, title', file: 'a.c', line: 3 },
    { level: 'notice', message: 'noted' },
  ]);
});

it('fails the step of an action that calls setFailed, and still runs its post', async () => {
  await publish(
    'fail',
    `if (core.getState('was')) core.info('post ran'); else { core.saveState('was', '1'); core.setFailed('it is broken'); }`,
  );
  const job = await run('- uses: acme/fail@main\n- { run: echo after, if: failure() }');
  expect(job.result).toBe('failure');
  expect(job.annotations).toMatchObject([{ level: 'error', message: 'it is broken' }]);
  expect(job.steps()).toEqual(expect.arrayContaining(['after', 'post ran']));
});

it('clones a private repository with the token of the job', async () => {
  await server.commit('private/code', { 'read.me': 'private content' });
  await publish(
    'checkout',
    `
import { execFileSync } from 'node:child_process';
if (core.getState('done')) process.exit();
core.saveState('done', '1');
const { GITHUB_SERVER_URL: url, GITHUB_WORKSPACE: workspace } = process.env;
const basic = Buffer.from('x-access-token:' + core.getInput('token')).toString('base64');
core.setSecret(basic);
const git = (...args) => execFileSync('git', ['-c', 'http.' + url + '/.extraheader=AUTHORIZATION: basic ' + basic, ...args], { cwd: workspace, stdio: 'inherit' });
git('init', '--quiet', 'code');
git('-C', 'code', 'fetch', '--quiet', '--depth=1', url + '/private/code', 'main');
git('-C', 'code', 'checkout', '--quiet', 'FETCH_HEAD');`,
    'inputs: { token: { default: "${{ github.token }}" } }',
  );
  const { code, stdout, stderr } = await exec(
    'on: push\njobs: { one: { runs-on: here, steps: [{ uses: acme/checkout@main }, { run: cat code/read.me }] } }\n',
  );
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toContain('private content');
  expect(stdout).not.toContain(token);
});

it('keeps a tool for the jobs after, and puts it on their search path', async () => {
  await publish(
    'setup',
    `
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
if (core.getState('done')) process.exit();
core.saveState('done', '1');
const folder = join(process.env.RUNNER_TOOL_CACHE, 'greet', '1.0.0', 'x64');
core.info(existsSync(folder) ? 'found the tool' : 'installed the tool');
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, 'greet'), '#!/bin/sh\\necho greetings\\n', { mode: 0o755 });
core.addPath(folder);`,
  );
  const steps = 'steps: [{ uses: acme/setup@main }, { run: greet }]';
  const { code, stdout, stderr } = await exec(
    `on: push\njobs: { one: { runs-on: here, ${steps} }, two: { needs: one, runs-on: here, ${steps} } }\n`,
  );
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout.match(/(?:installed|found) the tool/g)).toEqual(['installed the tool', 'found the tool']);
  expect(stdout.match(/greetings/g)).toHaveLength(2);
});

it('uploads to the server of the job where there is one', async () => {
  const seen: unknown[] = [];
  const runtime = createServer((request, response) => {
    request.setEncoding('utf8').once('data', (body) => {
      seen.push([request.method, request.url, request.headers.authorization, body]);
      response.end('taken');
    });
  });
  await once(runtime.listen(0, '127.0.0.1'), 'listening');
  try {
    await publish(
      'upload',
      `
const { ACTIONS_RUNTIME_URL: url, ACTIONS_RUNTIME_TOKEN: token } = process.env;
if (core.getState('done')) process.exit();
core.saveState('done', '1');
if (url === undefined || token === undefined) core.info('no server');
else fetch(url + 'upload', { method: 'POST', body: 'artifact', headers: { authorization: 'Bearer ' + token } })
  .then(async (answer) => core.info(await answer.text()), (error) => core.setFailed(error));`,
    );
    // An address of a TCP server is never a text.
    const origin = `http://127.0.0.1:${(runtime.address() as AddressInfo).port}`;
    const actionsRuntime = { url: `${origin}/api/`, resultsUrl: origin, token: 'runtime-token' };
    expect((await run('- uses: acme/upload@main', { actionsRuntime })).steps()).toContain('taken');
    expect(seen).toEqual([['POST', '/api/upload', 'Bearer runtime-token', 'artifact']]);
    expect((await run('- uses: acme/upload@main')).steps()).toContain('no server');
  } finally {
    runtime.close();
  }
});
