import { afterEach, expect, it, vi } from 'vitest';
import { runSteps } from './run-yaml.ts';

afterEach(() => void vi.unstubAllEnvs());

it('lets the later of these win: administrator, workflow, job, GITHUB_ENV, step', async () => {
  const { job } = await runSteps(
    `
- run: echo "$A $B $C $D"
- run: |
    echo "C=file" >> $GITHUB_ENV
    echo "D=file" >> $GITHUB_ENV
- run: echo "$A $B $C $D $E"; echo "\${{ env.B }} \${{ env.C }} \${{ env.D }} \${{ env.A }}"
  env: { D: step, E: "\${{ env.C }}-step" }`,
    { envs: { A: 'admin', B: 'admin' }, head: 'env: { B: job, C: job }' },
  );
  expect(job().steps(0)).toEqual(['admin job job ']);
  // `env` of a workflow is what the workflow set: the administrator's variables are not in it.
  expect(job().steps(2)).toEqual(['admin job file step file-step', 'job file step ']);
});

it('puts folders of GITHUB_PATH in front, the last first, each once', async () => {
  const { job } = await runSteps(`
- run: printf '/a\\n/b\\n' >> $GITHUB_PATH
- run: echo /a >> $GITHUB_PATH
- run: echo "\${PATH%%:/usr*}"
- run: echo "$PATH"
  env: { PATH: /own }
  shell: /bin/sh -e {0}`);
  expect(job().steps(2)[0]).toMatch(/^\/a:\/b:/);
  expect(job().steps(3)).toEqual(['/a:/b:/own']);
});

it('protects what belongs to the runner from GITHUB_ENV, and says so', async () => {
  const { job } = await runSteps(
    `
- run: |
    for name in GITHUB_SHA FORGEJO_SHA RUNNER_TEMP GITHUB_ENV NODE_OPTIONS GITHUB_WORKSPACE; do
      echo "$name=evil" >> $GITHUB_ENV
    done
    echo GOOD=good >> $GITHUB_ENV
- run: echo "$GITHUB_SHA $FORGEJO_SHA $NODE_OPTIONS $GOOD"; test -d "$GITHUB_WORKSPACE" -a -d "$RUNNER_TEMP" -a -f "$GITHUB_ENV"`,
    {
      github: { sha: 'abc' },
    },
  );
  expect(job().steps(1)).toEqual(['abc abc  good']);
  expect(job().results()).toEqual(['success/success', 'success/success']);
  expect(
    job()
      .steps(0)
      .filter((row) => row.startsWith('##[warning]GITHUB_ENV: ')),
  ).toHaveLength(6);
});

it('protects them from set-env as well', async () => {
  const { job } = await runSteps(
    '- run: |\n    echo "::set-env name=GITHUB_SHA::evil"; echo "::set-env name=NODE_OPTIONS::evil"; echo "::set-env name=A::b"\n- run: echo "$GITHUB_SHA $NODE_OPTIONS $A"',
    { head: 'env: { ACTIONS_ALLOW_UNSECURE_COMMANDS: true }', github: { sha: 'abc' } },
  );
  expect(job().steps(1)).toEqual(['abc  b']);
});

it('lets job, GITHUB_ENV and step replace the token and CI', async () => {
  const { job } = await runSteps(
    '- run: echo $GITHUB_TOKEN $FORGEJO_TOKEN $CI\n- run: echo GITHUB_TOKEN=file >> $GITHUB_ENV\n- run: echo $GITHUB_TOKEN\n- run: echo $GITHUB_TOKEN\n  env: { GITHUB_TOKEN: step }',
    { github: { token: 'theirs' }, head: 'env: { GITHUB_TOKEN: own, CI: false }' },
  );
  expect(job().steps()).toEqual(['own theirs false', 'file', 'step']);
});

it('hands nothing of the environment of the runner on', async () => {
  vi.stubEnv('RUNNER_SECRET_OF_THE_PROCESS', 'leak');
  vi.stubEnv('HTTP_PROXY', 'http://leak');
  const { job } = await runSteps('- run: env');
  expect(job().text()).not.toContain('leak');
  const names = new Set(
    job()
      .steps()
      .map((row) => row.split('=')[0] ?? ''),
  );
  const known = /^(?:GITHUB_|FORGEJO_|RUNNER_|FJR_|CI$|ACT$|PATH$|HOME$|PWD$|OLDPWD$|SHLVL$|_$)/;
  expect([...names].filter((name) => !known.test(name))).toEqual([]);
});

it('gives every variable of the github context both prefixes', async () => {
  const github = {
    actor: 'a',
    actor_id: '1',
    api_url: 'u',
    base_ref: 'b',
    event_name: 'push',
    graphql_url: 'g',
    head_ref: 'h',
    job: 'j',
    ref: 'r',
    ref_name: 'n',
    ref_protected: true,
    ref_type: 'branch',
    repository_id: '2',
    repository_owner: 'o',
    repository_owner_id: '3',
    retention_days: '0',
    run_attempt: '1',
    run_id: '9',
    run_number: '8',
    server_url: 's',
    sha: 'x',
    triggering_actor: 't',
    workflow: 'w',
    workflow_ref: 'wr',
    workflow_sha: 'ws',
    token: 'tok',
  };
  const { job } = await runSteps('- id: me\n  run: env', { github, debug: true });
  const env = new Map(
    job()
      .steps()
      .map((row): [string, string] => [row.split('=')[0] ?? '', row.split('=').slice(1).join('=')]),
  );
  const expected = [
    ...Object.keys(github).filter((name) => name !== 'job'),
    'job',
    'repository',
    'action',
    'event_path',
    'workspace',
    'env',
    'output',
    'path',
    'state',
    'step_summary',
    'actions',
  ].map((name) => name.toUpperCase());
  expect(expected.filter((name) => !env.has(`GITHUB_${name}`))).toEqual([]);
  expect(expected.filter((name) => env.get(`FORGEJO_${name}`) !== env.get(`GITHUB_${name}`))).toEqual([]);
  expect(env.get('GITHUB_ACTION')).toBe('me');
  expect(env.get('GITHUB_REF_PROTECTED')).toBe('true');
  expect(env.get('GITHUB_JOB')).toBe('one');
  expect(Object.fromEntries([...env].filter(([name]) => name.startsWith('RUNNER_')))).toMatchObject({
    RUNNER_NAME: 'tester',
    RUNNER_ENVIRONMENT: 'self-hosted',
    RUNNER_DEBUG: '1',
    RUNNER_OS: expect.any(String) as string,
    RUNNER_ARCH: expect.any(String) as string,
    RUNNER_TEMP: expect.any(String) as string,
    RUNNER_TOOL_CACHE: expect.any(String) as string,
    RUNNER_WORKSPACE: env.get('GITHUB_WORKSPACE') as string,
  });
});

it('writes the payload of the event where steps look for it', async () => {
  const event = { title: 'say "hi"\n', list: [1, null, { deep: '${{ x }}' }], big: 'x'.repeat(3_000_000) };
  const { job } = await runSteps(
    '- run: wc -c < $GITHUB_EVENT_PATH; cut -c1-4 $GITHUB_EVENT_PATH | head -1; grep -c deep $GITHUB_EVENT_PATH',
    {
      github: { event },
    },
  );
  expect(Number(job().steps()[0])).toBeGreaterThan(3_000_000);
  expect(job().steps().slice(1)).toEqual(['{', '1']);
});
