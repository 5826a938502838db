import { callContext, type GitServer, openTempFolder, startGitServer, type TempFolder } from '@forgejo-runner/testkit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { remoteWorkflows, type RemoteWorkflowsOptions } from '../../src/local/remote-workflows.ts';
import { openActionStore } from '../../src/steps/actions/action-store.ts';
import { systemGit } from '../../src/steps/actions/system-git.ts';
import type { RanYaml } from '../run-yaml.ts';
import { callable, errorsOf, runCalls } from './run-calls.ts';

let folder: TempFolder;
let server: GitServer;

beforeEach(async () => {
  folder = await openTempFolder();
  server = await startGitServer({
    authorize: (repository, authorization) =>
      repository.startsWith('private/') && authorization !== `Basic ${btoa('x-access-token:token-1234')}`
        ? 401
        : undefined,
  });
});

afterEach(async () => {
  await server[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

async function run(uses: string, options: Partial<RemoteWorkflowsOptions> & { keys?: string } = {}): Promise<RanYaml> {
  const store = openActionStore({
    folder: folder.path,
    git: systemGit(process.env),
    log: callContext().log,
    retryMs: 1,
  });
  const openRemote = remoteWorkflows({ store, serverUrl: server.url, ...options });
  const caller = `on: push\njobs:\n  call:\n    uses: ${uses}\n${options.keys ?? ''}`;
  return runCalls(caller, { '.github/workflows/deeper.yml': callable('echo of the caller') }, { openRemote });
}

const nested = 'on: workflow_call\njobs: { next: { uses: ./.github/workflows/deeper.yml } }\n';

it('calls a workflow of the same instance, whose own calls stay in its commit', async () => {
  await server.commit(
    'o/r',
    { '.github/workflows/a.yml': nested, '.github/workflows/deeper.yml': callable('echo of the tag') },
    { refs: ['refs/tags/v1', 'refs/heads/main'] },
  );
  await server.commit(
    'o/r',
    { '.github/workflows/deeper.yml': callable('echo of main') },
    { refs: ['refs/heads/main'] },
  );
  const ran = await run('o/r/.github/workflows/a.yml@v1');
  expect(ran.job('call/next/inner').steps()).toEqual(['of the tag']);
});

it('calls a workflow by the address of its server, on a branch or at a commit', async () => {
  const sha = await server.commit('o/r', { 'x.yaml': callable('echo far') }, { refs: ['refs/heads/a/b'] });
  const other = { serverUrl: 'http://127.0.0.1:9' };
  expect((await run(`${server.url}/o/r/x.yaml@a/b`, other)).job('call/inner').steps()).toEqual(['far']);
  expect((await run(`${server.url}/o/r/x.yaml@${sha}`, other)).job('call/inner').steps()).toEqual(['far']);
});

it('shows its token to its own instance only', async () => {
  await server.commit('private/r', { 'x.yml': callable('echo private') }, { refs: ['refs/tags/v1'] });
  const own = await run('private/r/x.yml@v1', { token: 'token-1234' });
  expect(own.job('call/inner').steps()).toEqual(['private']);
  const seen = server.requests.length;
  const foreign = await run(`${server.url}/private/r/x.yml@v1`, {
    token: 'token-1234',
    serverUrl: 'http://127.0.0.1:9',
  });
  expect(foreign.results.get('call')?.result).toBe('failure');
  expect(server.requests.slice(seen).map(({ authorization }) => authorization)).not.toContainEqual(expect.anything());
});

it("takes keys that it does not know from a workflow that is not the author's", async () => {
  await server.commit('o/r', { 'x.yml': `future: 1\n${callable('echo fine')}` }, { refs: ['refs/tags/v1'] });
  const ran = await run('o/r/x.yml@v1');
  expect(ran.job('call/inner').steps()).toEqual(['fine']);
  expect(ran.job('call/inner').section('set-up').join('\n')).toContain(
    `${server.url}/o/r/x.yml@v1:1:1: "future" is not known`,
  );
});

it.each<[title: string, uses: string, keys: string, problems: readonly RegExp[]]>([
  [
    'a file that is not there',
    'o/r/none.yml@v1',
    '',
    [/^w\.yml:4:11: expected a workflow at "http:\/\/\S+\/o\/r\/none\.yml@v1", found none$/],
  ],
  [
    'a reference that is not there',
    'o/r/x.yml@v2',
    '',
    [/^w\.yml:4:11: expected to fetch v2 of http:\/\/\S+\/o\/r, found: no tag or branch is called "v2"$/],
  ],
  [
    'a repository that is not there',
    'o/gone/x.yml@v1',
    '',
    [/^w\.yml:4:11: expected to fetch v1 of http:\/\/\S+\/o\/gone, found: /],
  ],
  ['a path out of the repository', 'o/r/../x.yml@v1', '', [/^w\.yml:4:11: expected a path below the repository/]],
  [
    'inputs that do not fit, with both places',
    'o/r/x.yml@v1',
    '    with: { n: one }\n',
    [
      /^w\.yml:5:16: expected the input "n" to be a number/,
      /^http:\/\/\S+\/o\/r\/x\.yml@v1:3:15: the input "n" is declared here/,
    ],
  ],
])('refuses %s', async (_title, uses, keys, problems) => {
  await server.commit(
    'o/r',
    { 'x.yml': callable('echo never', '    inputs: { n: { type: number } }') },
    { refs: ['refs/tags/v1'] },
  );
  const ran = await run(uses, { keys });
  expect(ran.results.get('call')?.result).toBe('failure');
  const found = errorsOf(ran).filter((row) => !row.startsWith('Next: '));
  expect(found).toEqual(problems.map((problem) => expect.stringMatching(problem)));
});

it('finds a circle through another repository', async () => {
  await server.commit(
    'o/r',
    { 'x.yml': `on: workflow_call\njobs: { again: { uses: o/r/x.yml@v1 } }\n` },
    { refs: ['refs/tags/v1'] },
  );
  const ran = await run('o/r/x.yml@v1');
  expect(ran.jobs[0]?.text()).toContain('expected workflows that do not call themselves');
});
