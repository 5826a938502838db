import { expect, it } from 'vitest';
import { readConfig } from '../config/load.ts';
import { readContainerPolicy } from './container-policy.ts';

const read = (yaml: string) => readContainerPolicy(readConfig(yaml, 'c.yml'));

it('allows nothing by default', () => {
  expect(read('')).toEqual({
    policy: {
      defaults: { env: {}, mounts: [], ports: [], aliases: [], health: {}, fields: {} },
      granted: [],
      privileged: false,
      validVolumes: [],
      forcePull: false,
    },
    warnings: [],
  });
});

it('reads what holds for every container', () => {
  const { policy, warnings } = read(
    `container:
  options: --memory 1g --cap-add NET_ADMIN -e A=1 -v /srv/../certs/:/certs:ro --privileged
  privileged: true
  force_pull: true
  valid_volumes: [data]`,
  );
  expect(policy).toMatchObject({
    defaults: {
      env: { A: '1' },
      mounts: [{ source: '/certs', target: '/certs', readOnly: true }],
      fields: { memory: 1024 ** 3, capAdd: ['NET_ADMIN'], privileged: true },
    },
    granted: ['--cap-add NET_ADMIN', '--privileged'],
    privileged: true,
    validVolumes: ['data'],
    forcePull: true,
  });
  expect(warnings).toEqual([]);
});

it('warns of what changes nothing, and does not do it', () => {
  const options = '--network host --privileged -p 80 --entrypoint sh --network-alias a --pull never --rm';
  const { policy, warnings } = read(`container: { options: ${options} }`);
  expect(policy.defaults).toEqual({ env: {}, mounts: [], ports: [], aliases: [], health: {}, fields: {} });
  const names = ['--network', '--rm', '--publish', '--network-alias', '--entrypoint', '--pull', '--privileged'];
  expect(warnings.map((warning) => warning.split(' ')[1])).toEqual(names);
});

it('does not let privileged mode in by the options', () => {
  const { policy } = read('container: { options: --privileged }');
  expect(policy.privileged).toBe(false);
  expect(policy.defaults.fields).toEqual({});
});

it('refuses options that are wrong, all at once with their place', () => {
  expect(() => read('container:\n  options: --memory x --nope -v ./a:/b\n')).toThrow(
    [
      'c.yml:2:12: container.options: --memory: expected a size such as 512m or 2g, found "x"',
      'c.yml:2:12: container.options: expected an option of docker run that this runner knows, found "--nope"',
      'c.yml:2:12: container.options: expected an absolute path or the name of a volume, found "./a"',
    ].join('\n'),
  );
});
