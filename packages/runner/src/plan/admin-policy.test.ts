import { expect, it } from 'vitest';
import { type ContainerPolicy, forbiddenBy, stepContainerOf, withDefaults } from './admin-policy.ts';
import { readContainerOptions } from './container-options.ts';

function policy(options: string, over: Partial<ContainerPolicy> = {}): ContainerPolicy {
  const { options: defaults, restricted: granted } = readContainerOptions(options);
  return { defaults, granted, privileged: false, validVolumes: [], forcePull: false, ...over };
}

function forbidden(administrator: ContainerPolicy, options: string): readonly string[] {
  const asked = readContainerOptions(options);
  return forbiddenBy(administrator, asked, asked.options.mounts);
}

it.each<[administrator: string, job: string]>([
  ['', '--user root --init --shm-size 1g --memory 64g --cap-drop ALL --tmpfs /x -e A=1 -v /anonymous --pids-limit -1'],
  ['--memory 1g', '--memory 1g'],
  ['--memory 1g', '--memory 512m'],
  ['--pids-limit -1', '--pids-limit -1'],
  ['--ulimit nofile=1:2', '--ulimit nofile=1:2 --ulimit core=-1'],
  ['--cap-add NET_ADMIN --device /dev/kvm', '--cap-add=NET_ADMIN --device=/dev/kvm'],
])('with %j lets a job have %j', (administrator, job) => {
  expect(forbidden(policy(administrator), job)).toEqual([]);
});

it.each<[administrator: string, job: string, problem: string]>([
  [
    '',
    '--privileged',
    'may not ask for "--privileged", which reaches beyond the container; its administrator can allow it in container.privileged',
  ],
  ['', '--cap-add SYS_ADMIN', 'may not ask for "--cap-add SYS_ADMIN"'],
  ['--cap-add NET_ADMIN', '--cap-add SYS_ADMIN', 'may not ask for "--cap-add SYS_ADMIN"'],
  ['', '--device /dev/sda', 'may not ask for "--device /dev/sda"'],
  ['', '--security-opt apparmor=unconfined', 'may not ask for "--security-opt'],
  ['', '--pid host', 'may not ask for "--pid host"'],
  ['', '--memory-swap -1', 'may not ask for "--memory-swap -1"'],
  ['', '-v /etc:/x', 'may not mount "/etc"; its administrator can add "/etc" to container.valid_volumes'],
  ['', '-v data:/x', 'may not mount "data"'],
  ['', '--mount type=bind,src=/,dst=/host', 'may not mount "/"'],
  ['--memory 1g', '--memory 2g', '--memory: expected at most 1073741824, which the administrator'],
  ['--cpus 2', '--cpus 2.5', '--cpus: expected at most 2,'],
  ['--shm-size 64m', '--shm-size 65m', '--shm-size: expected at most'],
  ['--pids-limit 100', '--pids-limit -1', 'found no limit'],
  ['--pids-limit 100', '--pids-limit 0', 'found no limit'],
  ['--ulimit nofile=10:20', '--ulimit nofile=10:30', '--ulimit nofile: expected at most 20'],
  ['--ulimit nofile=10:20', '--ulimit nofile=-1', 'found no limit'],
])('with %j refuses %j', (administrator, job, problem) => {
  const found = forbidden(policy(administrator), job);
  expect(found).toHaveLength(1);
  expect(found[0]).toContain(problem);
});

it('lets jobs have of a privileged container what they have anyway, and nothing else', () => {
  const administrator = policy('', { privileged: true });
  expect(forbidden(administrator, '--privileged --cap-add ALL --device /dev/kvm --security-opt label=disable')).toEqual(
    [],
  );
  expect(forbidden(administrator, '--pid host')).toHaveLength(1);
  expect(withDefaults(administrator, readContainerOptions('').options).fields).toEqual({ privileged: true });
});

it.each([
  '-v mine:/etc/ssl',
  '-v mine:/etc//ssl/',
  '-v mine:/etc',
  '--tmpfs /etc/ssl',
  '--tmpfs /run',
  '-v mine:/RUN/x/..',
])('does not let a job cover what the administrator mounts: %s', (job) => {
  const administrator = policy('-v /certs:/etc/ssl:ro --tmpfs /run:size=1m', { validVolumes: ['**'] });
  expect(forbidden(administrator, job)[0]).toContain('covers what the administrator of this runner mounts there');
  expect(forbidden(administrator, '-v mine:/etc/ssl2 -v mine:/etc/ssl/below')).toEqual([]);
});

it('puts both sides together, the administrator first', () => {
  const administrator = policy(
    '-e A=1 -e B=1 --memory 1g --cpus 2 --add-host a:1.1.1.1 --ulimit nofile=10:20 --tmpfs /a --user me -v /certs:/certs --health-retries 9',
  );
  const asked = readContainerOptions(
    '-e B=2 --memory 512m --add-host b:2.2.2.2 --ulimit nofile=5:6 --tmpfs /b --user you -v x:/x --health-cmd true',
  );
  expect(withDefaults(administrator, asked.options)).toMatchObject({
    env: { A: '1', B: '2' },
    mounts: [{ source: '/certs' }, { source: 'x' }],
    health: { retries: 9, test: ['CMD-SHELL', 'true'] },
    fields: {
      memory: 512 * 1024 ** 2,
      cpus: 2,
      extraHosts: ['a:1.1.1.1', 'b:2.2.2.2'],
      ulimits: [{ name: 'nofile', soft: 5, hard: 6 }],
      tmpfs: { '/a': '', '/b': '' },
      user: 'you',
    },
  });
});

it('gives the containers of steps what the administrator wants', () => {
  expect(stepContainerOf(policy('-e A=1 --memory 1g -v /certs:/certs:ro', { privileged: true }))).toEqual({
    env: { A: '1' },
    mounts: [{ source: '/certs', target: '/certs', readOnly: true }],
    options: { memory: 1024 ** 3, privileged: true },
  });
});
