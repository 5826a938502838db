import { readdir } from 'node:fs/promises';
import type { ContainerSupport } from '@forgejo-runner/core';
import {
  callContext,
  type GitServer,
  openTempFolder,
  referenceBackend,
  startGitServer,
  type TempFolder,
} from '@forgejo-runner/testkit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ActionSource } from '../../src/plan/job-actions.ts';
import { openActionSource } from '../../src/steps/actions/action-source.ts';
import { type ActionStore, openActionStore } from '../../src/steps/actions/action-store.ts';
import { systemGit } from '../../src/steps/actions/system-git.ts';
import { jobOf, type RunYamlOptions, runSteps, runYaml } from '../run-yaml.ts';

const token = 'job-token-4711';
const native: ContainerSupport = {
  via: 'native',
  job: true,
  services: true,
  steps: true,
  build: true,
  fields: ['env', 'entrypoint', 'cmd'],
};

let folder: TempFolder;
let server: GitServer;
let store: ActionStore;
let actions: ActionSource;

beforeEach(async () => {
  folder = await openTempFolder();
  const wanted = `Basic ${Buffer.from(`x-access-token:${token}`).toString('base64')}`;
  server = await startGitServer({
    authorize: (repository, authorization) =>
      repository.startsWith('private/') && authorization !== wanted ? 401 : undefined,
  });
  store = openActionStore({ folder: folder.path, git: systemGit(process.env), log: callContext().log, retryMs: 1 });
  actions = openActionSource(store, { defaultUrl: server.url });
});

afterEach(async () => {
  await server[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

async function run(steps: string, options: RunYamlOptions = {}) {
  const ran = await runSteps(steps, { actions, ...options });
  return { ...ran, job: ran.job() };
}

/** A script that saves state for the stages after it. */
function savingStage(text: string): string {
  return `console.log('${text}'); require('node:fs').appendFileSync(process.env.GITHUB_STATE, 'pre= after pre\\n')`;
}

function setupStep(id: string): string {
  return `- { id: ${id}, uses: acme/setup@main, with: { version: 1.2.3 } }`;
}

/** A node action with files; `main` says what it is. */
function node(name: string, more: Readonly<Record<string, string>> = {}, runs = '') {
  return {
    'action.yml': `name: ${name}\ninputs: { who: { default: nobody } }\nruns: { using: node20, main: dist/index.js${runs} }`,
    'dist/index.js': `console.log('main of ${name} for ' + process.env.INPUT_WHO + (process.env.STATE_pre ?? ''))`,
    ...more,
  };
}

it('runs remote actions with pre, main and post, and says which commit each is', async () => {
  const sha = await server.commit(
    'acme/act',
    node(
      'act',
      { 'pre.js': savingStage('pre of act'), 'post.js': "console.log('post of act' + process.env.STATE_pre)" },
      ', pre: pre.js, post: post.js',
    ),
    { refs: ['refs/tags/v1'] },
  );
  const { job } = await run('- run: echo first\n- { uses: acme/act@v1, with: { who: me } }');
  expect(job.result).toBe('success');
  expect(job.steps().filter((row) => !row.startsWith('##'))).toEqual([
    'pre of act',
    'first',
    'main of act for me after pre',
    'post of act after pre',
  ]);
  expect(job.section('set-up').join('\n')).toContain(`Action acme/act@v1 is ${sha} of ${server.url}/acme/act`);
  const stages = job.changes.filter(({ kind }) => kind === 'finished').map(({ stage, index }) => [stage, index]);
  expect(stages).toEqual([
    ['pre', 1],
    ['main', 0],
    ['main', 1],
    ['post', 1],
  ]);
});

it('runs the post stage of a step whose pre ran, although its main was skipped', async () => {
  await server.commit(
    'acme/act',
    node('act', { 'pre.js': '', 'post.js': "console.log('post ran')" }, ', pre: pre.js, post: post.js'),
  );
  const { job } = await run('- { uses: acme/act@main, if: false }');
  expect(job.text()).toContain('post ran');
});

it('fails the job when a pre stage fails, and goes on to what wants to run then', async () => {
  await server.commit('acme/act', node('act', { 'pre.js': 'process.exit(1)' }, ', pre: pre.js'));
  const { job } = await run('- uses: acme/act@main\n- { run: echo after failure, if: failure() }');
  expect(job.result).toBe('failure');
  expect(job.text()).toContain('after failure');
  expect(job.text()).not.toContain('main of act');
});

it.each([
  ["runner.os == 'none'", false],
  ['always()', true],
])('asks pre-if: %s', async (condition, expected) => {
  await server.commit(
    'acme/act',
    node('act', { 'pre.js': "console.log('pre ran')" }, `, pre: pre.js, pre-if: "${condition}"`),
  );
  expect((await run('- uses: acme/act@main')).job.text().includes('pre ran')).toBe(expected);
});

it('finds actions in a folder, which may use files of the whole repository', async () => {
  await server.commit('acme/many', {
    'one/action.yml': 'runs: { using: node20, main: ../shared.js }',
    'shared.js':
      "console.log('from ' + process.env.GITHUB_ACTION_REPOSITORY + '@' + process.env.GITHUB_ACTION_REF + ' ' + process.env.GITHUB_ACTION_PATH.endsWith('/one'))",
  });
  expect((await run('- uses: acme/many/one@main')).job.text()).toContain('from acme/many@main true');
});

it('runs composite actions from elsewhere, with actions inside of them, their pre and their post', async () => {
  await server.commit(
    'acme/leaf',
    node(
      'leaf',
      { 'pre.js': "console.log('pre of leaf')", 'post.js': "console.log('post of leaf')" },
      ', pre: pre.js, post: post.js',
    ),
  );
  await server.commit('acme/outer', {
    'action.yml': `
inputs: { name: { default: someone } }
outputs: { said: { value: "\${{ steps.say.outputs.said }}" } }
runs:
  using: composite
  steps:
    - { uses: acme/leaf@main, with: { who: "\${{ inputs.name }}" } }
    - { id: say, shell: sh, run: 'echo "said=$(cat "$GITHUB_ACTION_PATH/word")" >> "$GITHUB_OUTPUT"' }`,
    word: 'hello',
  });
  const { job } = await run(
    '- { id: o, uses: acme/outer@main, with: { name: me } }\n- run: echo "got ${{ steps.o.outputs.said }}"',
  );
  expect(job.steps().filter((row) => !/^(?:##|▸)/.test(row))).toEqual([
    'pre of leaf',
    'main of leaf for me',
    'got hello',
    'post of leaf',
  ]);
});

it('fetches an action that only a local one names when its step comes', async () => {
  await server.commit('acme/act', node('act'));
  const files = { 'mine/action.yml': 'runs: { using: composite, steps: [{ uses: acme/act@main }] }' };
  expect((await run('- uses: ./mine', { files })).job.text()).toContain('main of act for nobody');
});

it('checks out a private repository with the token of the job, which is nowhere else', async () => {
  await server.commit('private/secret', node('secret'));
  const github = { server_url: server.url, token };
  const { job, masker } = await run('- uses: private/secret@main', { github, secrets: { GITHUB_TOKEN: token } });
  expect(job.text()).toContain('main of secret');
  expect(masker.mask(token)).toBe('***');
  expect(job.text()).not.toContain(token);
  // Another instance's token is not tried.
  const { job: other } = await run('- uses: private/secret@main', {
    github: { server_url: 'https://other.example', token },
  });
  expect(other.result).toBe('failure');
  expect(other.text()).toContain('could not read Username');
});

it('does what a checkout action does: clones a private repository with the token that it gets by default', async () => {
  await server.commit('private/mine', { 'hello.txt': 'from the repository' });
  await server.commit('acme/checkout', {
    'action.yml': `
inputs: { token: { default: "\${{ github.token }}" }, repository: { default: "\${{ github.repository }}" } }
outputs: { commit: {} }
runs: { using: node20, main: main.js, post: post.js }`,
    'main.js': `
const { execFileSync } = require('node:child_process');
const { appendFileSync } = require('node:fs');
const { GITHUB_SERVER_URL: url, GITHUB_WORKSPACE: cwd, GITHUB_OUTPUT, GITHUB_STATE, INPUT_TOKEN, INPUT_REPOSITORY } = process.env;
const git = (...args) => execFileSync('git', args, { cwd, encoding: 'utf8' }).trim();
const basic = Buffer.from('x-access-token:' + INPUT_TOKEN).toString('base64');
console.log('::add-mask::' + basic);
git('init', '--quiet');
git('config', 'http.' + url + '/.extraHeader', 'Authorization: Basic ' + basic);
git('fetch', '--quiet', '--depth=1', url + '/' + INPUT_REPOSITORY, 'main');
git('checkout', '--quiet', 'FETCH_HEAD');
console.log('header is ' + basic);
appendFileSync(GITHUB_STATE, 'cleanup=true\\n');
appendFileSync(GITHUB_OUTPUT, 'commit=' + git('rev-parse', 'HEAD') + '\\n');`,
    'post.js': `
const { execFileSync } = require('node:child_process');
const args = ['config', '--remove-section', 'http.' + process.env.GITHUB_SERVER_URL + '/'];
if (process.env.STATE_cleanup === 'true') execFileSync('git', args, { cwd: process.env.GITHUB_WORKSPACE });
console.log('removed');`,
  });
  const github = { server_url: server.url, repository: 'private/mine', token };
  const ran = await run('- { id: c, uses: acme/checkout@main }\n- run: cat hello.txt', {
    github,
    secrets: { GITHUB_TOKEN: token },
  });
  expect(ran.job.result).toBe('success');
  expect(ran.job.steps()).toContain('from the repository');
  expect(ran.job.steps()).toContain('header is ***');
  expect(ran.job.steps()).toContain('removed');
});

it('uses and hides the login of an address', async () => {
  await server.commit('private/secret', node('secret'));
  const address = server.url.replace('://', `://x-access-token:\${{ secrets.KEY }}@`);
  const { job } = await run(`- uses: ${address}/private/secret@main`, { secrets: { KEY: token } });
  expect(job.text()).toContain('main of secret');
  expect(job.text()).not.toContain(token);
});

it.each([
  ['acme/none@v1', /found: repository '.*' not found/],
  ['acme/act@v9', /expected to fetch v9 of http.*acme\/act, found: no tag or branch is called "v9"/],
  ['acme/act/sub@main', /expected action.yml, action.yaml or a Dockerfile in "sub"/],
  ['acme/act', /expected .\/path, owner\/repo/],
  ['acme/act@--upload-pack=x', /expected the name of a tag, branch or commit/],
  ['acme/broken@main', /acme\/broken\/action.yml:1:1/],
])('refuses %s before anything starts, and says why', async (uses, message) => {
  await server.commit('acme/act', node('act'));
  await server.commit('acme/broken', { 'action.yml': 'name: x' });
  const backend = referenceBackend();
  const { job } = await run(`- run: "true"\n- uses: ${uses}`, { backend });
  expect(job.result).toBe('failure');
  expect(job.text()).toMatch(message);
  expect(backend.log.map(({ method }) => method)).not.toContain('createEnvironment');
});

it('refuses Docker actions that the label cannot run before anything starts, however deep they are', async () => {
  await server.commit('acme/image', {
    'action.yml': 'runs: { using: docker, image: Dockerfile }',
    Dockerfile: 'FROM scratch',
  });
  await server.commit('acme/outer', { 'action.yml': 'runs: { using: composite, steps: [{ uses: acme/image@main }] }' });
  const backend = referenceBackend();
  const { job } = await run('- run: "true"\n- uses: acme/outer@main', { backend });
  expect(job.text()).toContain(
    'cannot run this job: step 2 (acme/outer@main using acme/image@main) needs a container. Nothing was started',
  );
  expect(backend.log.map(({ method }) => method)).not.toContain('createEnvironment');
});

it('builds the image of a Docker action from its repository, under a name that follows the commit', async () => {
  const commit = (word: string) =>
    server.commit('acme/image', {
      'docker/action.yml': 'runs: { using: docker, image: Dockerfile, entrypoint: echo, args: [built] }',
      'docker/Dockerfile': `FROM scratch\nLABEL word=${word}`,
      'docker/.dockerignore': 'ignored',
      'docker/ignored': 'x'.repeat(200_000),
      other: 'x'.repeat(200_000),
    });
  const tags: unknown[] = [];
  for (const word of ['one', 'two']) {
    await commit(word);
    const backend = referenceBackend({ capabilities: { containers: native } });
    const { job } = await run('- uses: acme/image/docker@main\n- uses: acme/image/docker@main', { backend });
    expect(job.result).toBe('success');
    const builds = backend.log
      .filter(({ method }) => method === 'buildImage')
      .map(({ detail }) => detail as { tag: string; contextBytes: number });
    expect(builds[0]?.contextBytes).toBeLessThan(20_000);
    tags.push(new Set(builds.map(({ tag }) => tag)).size, builds[0]?.tag);
  }
  expect([tags[0], tags[2]]).toEqual([1, 1]);
  expect(tags[1]).not.toBe(tags[3]);
});

it('tells the arguments of a Docker action where it comes from', async () => {
  const origin = '${{ github.action_repository }} ${{ github.action_ref }} ${{ github.action_path }}';
  await server.commit('acme/image', {
    'docker/action.yml': `runs: { using: docker, image: Dockerfile, entrypoint: echo, args: ["${origin}"] }`,
    'docker/Dockerfile': 'FROM scratch',
  });
  const backend = referenceBackend({ capabilities: { containers: native } });
  const { job } = await run('- uses: acme/image/docker@main', { backend });
  expect(job.steps(0).join('\n')).toMatch(/^acme\/image main \/.*\/docker$/m);
});

it('clones once for jobs that run at the same time', async () => {
  await server.commit('acme/act', node('act'));
  const jobs = ['a', 'b', 'c', 'd'].map((id) => `  ${id}: { runs-on: here, steps: [{ uses: acme/act@main }] }`);
  const ran = await runYaml(`on: push\njobs:\n${jobs.join('\n')}\n`, { actions });
  expect(ran.jobs.map(({ result }) => result)).toEqual(['success', 'success', 'success', 'success']);
  const [key = ''] = await readdir(folder.join('repositories'));
  expect((await readdir(folder.join('repositories', key))).filter((name) => name.length === 40)).toHaveLength(1);
});

it('ends the look for actions when the job is cancelled', async () => {
  await using silent = await startGitServer({ fault: () => 'hang' });
  const cancel = new AbortController();
  const source: ActionSource = {
    find: (uses, at, access, signal) => {
      queueMicrotask(() => cancel.abort());
      return openActionSource(store, { defaultUrl: silent.url }).find(uses, at, access, signal);
    },
  };
  const ran = await runYaml(jobOf('- uses: acme/act@main'), { actions: source, signal: cancel.signal });
  expect(ran.job().result).toBe('cancelled');
});

it('does what a tool cache action does: finds what it put there before', async () => {
  await server.commit('acme/setup', {
    'action.yml':
      'inputs: { version: { required: true } }\noutputs: { hit: {} }\nruns: { using: node20, main: setup.js }',
    'setup.js': `
const { appendFileSync, existsSync, mkdirSync, writeFileSync } = require('node:fs');
const folder = process.env.RUNNER_TOOL_CACHE + '/tool/' + process.env.INPUT_VERSION;
const hit = existsSync(folder + '/tool');
mkdirSync(folder, { recursive: true });
writeFileSync(folder + '/tool', '#!/bin/sh\\necho "tool ' + process.env.INPUT_VERSION + '"', { mode: 0o755 });
appendFileSync(process.env.GITHUB_PATH, folder + '\\n');
appendFileSync(process.env.GITHUB_OUTPUT, 'hit=' + hit + '\\n');`,
  });
  const { job } = await run(
    `${setupStep('a')}\n${setupStep('b')}\n- run: echo "\${{ steps.a.outputs.hit }} \${{ steps.b.outputs.hit }} $(tool)"`,
  );
  expect(job.text()).toContain('false true tool 1.2.3');
});
