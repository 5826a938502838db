import { expect, it } from 'vitest';
import { readConfig } from './load.ts';

const read = (env: Record<string, string>, text = '') => readConfig(text, 'c.yml', env);

it('lets variables win over the file, in either case', () => {
  const env = { RUNNER__runner__CAPACITY: '3', runner__log__level: 'debug', RUNNER__RUNNER__INSECURE: 'true' };
  const config = read(env, 'runner: { capacity: 1, timeout: 1h }\nlog: { job_level: warn }');
  expect(config.runner).toMatchObject({ capacity: 3, timeoutMs: 3_600_000, insecure: true });
  expect(config.log).toEqual({ level: 'debug', jobLevel: 'warn' });
});

it('takes lists as YAML or with commas, and texts as they are', () => {
  expect(read({ RUNNER__RUNNER__LABELS: 'a:docker://x, b:host' }).labels.map(({ name }) => name)).toEqual(['a', 'b']);
  expect(read({ RUNNER__RUNNER__LABELS: '["a:host"]' }).labels.map(({ name }) => name)).toEqual(['a']);
  expect(read({ RUNNER__CONTAINER__VALID_VOLUMES: 'a,b' }).container.validVolumes).toEqual(['a', 'b']);
  expect(read({ RUNNER__CONTAINER__OPTIONS: '--cpus 2 # no comment' }).container.options).toBe('--cpus 2 # no comment');
});

it('reaches connections, backends and variables of jobs by their names', () => {
  const config = read(
    {
      RUNNER__SERVER__CONNECTIONS__MAIN__TOKEN: 'abc',
      RUNNER__RUNNER__ENVS__HTTP_PROXY: 'http://p',
      RUNNER__BACKEND__HOST__WORKDIR_PARENT: '/srv',
    },
    'server: { connections: { Main: { url: "https://x", uuid: u, token_url: "" } } }',
  );
  expect(config.connections.get('Main')).toMatchObject({ token: 'abc', url: 'https://x' });
  expect(config.runner.envs).toEqual(new Map([['HTTP_PROXY', 'http://p']]));
  expect(config.backends.get('host')).toEqual({ workdir_parent: '/srv' });
});

it('names the variable where it is wrong, and knows which key was meant', () => {
  expect(() => read({ RUNNER__RUNNER__CAPASITY: '1' })).toThrow(
    '$RUNNER__RUNNER__CAPASITY:1:1: unknown key "capasity" in runner; did you mean "capacity"',
  );
  expect(() => read({ RUNNER__RUNNER__CAPACITY: 'many' })).toThrow('$RUNNER__RUNNER__CAPACITY:1:1: runner.capacity');
  expect(() => read({ RUNNER__RUNNER__LABELS: '[' })).toThrow('$RUNNER__RUNNER__LABELS:1:');
});

it('counts an empty variable as not set, and others as not meant', () => {
  expect(read({ RUNNER__RUNNER__CAPACITY: '', RUNNER_TOKEN: 'x', GITEA__RUNNER__CAPACITY: '9' }).runner.capacity).toBe(
    1,
  );
});
