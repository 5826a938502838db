import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readContainerOptions } from './container-options.ts';
import { optionRules } from './option-rules.ts';

const read = (text: string) => readContainerOptions(text).options;
const mebi = 1024 ** 2;

describe('fields', () => {
  it.each<[string, object]>([
    ['--user 1000:1000', { user: '1000:1000' }],
    ['-u root', { user: 'root' }],
    ['--workdir=/srv', { workdir: '/srv' }],
    ['-m512m', { memory: 512 * mebi }],
    ['-m=512M', { memory: 512 * mebi }],
    ['--memory 2gb', { memory: 2048 * mebi }],
    ['--memory "1.5 GiB"', { memory: 1536 * mebi }],
    ['--memory 1048576', { memory: mebi }],
    ['--memory-swap -1 --memory-reservation 1m', { memorySwap: -1, memoryReservation: mebi }],
    ['--cpus 1.5 -c 512 --cpuset-cpus 0-2,4', { cpus: 1.5, cpuShares: 512, cpusetCpus: '0-2,4' }],
    ['--shm-size 64m --pids-limit 100', { shmSize: 64 * mebi, pidsLimit: 100 }],
    ['--init -t', { init: true, tty: true }],
    ['-it', { tty: true }],
    ['--init=false --tty=0', {}],
    ['--privileged=true', { privileged: true }],
    ['--read-only --hostname box.local', { readOnly: true, hostname: 'box.local' }],
    ['--platform linux/arm64/v8', { platform: 'linux/arm64/v8' }],
    ['--tmpfs /run:rw,size=64m --tmpfs /tmp', { tmpfs: { '/run': 'rw,size=64m', '/tmp': '' } }],
    ['--mount type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1777', { tmpfs: { '/t': 'size=1m,mode=1777' } }],
    [
      '--ulimit nofile=1024:2048 --ulimit core=-1',
      {
        ulimits: [
          { name: 'nofile', soft: 1024, hard: 2048 },
          { name: 'core', soft: -1, hard: -1 },
        ],
      },
    ],
    [
      '--cap-add NET_ADMIN --cap-add=SYS_PTRACE --cap-drop ALL',
      { capAdd: ['NET_ADMIN', 'SYS_PTRACE'], capDrop: ['ALL'] },
    ],
    [
      '--add-host db:10.0.0.2 --add-host=v6=[::1] --add-host h:host-gateway',
      { extraHosts: ['db:10.0.0.2', 'v6:::1', 'h:host-gateway'] },
    ],
    ['--dns 1.1.1.1 --dns-search example.org', { dns: ['1.1.1.1'], dnsSearch: ['example.org'] }],
    ['--group-add docker --stop-signal SIGINT', { groupAdd: ['docker'], stopSignal: 'SIGINT' }],
    ['-l a=b --label c', { labels: { a: 'b', c: '' } }],
    [
      '--device /dev/kvm --device /dev/a:/dev/b:r',
      {
        devices: [
          { source: '/dev/kvm', target: '/dev/kvm', permissions: 'rwm' },
          { source: '/dev/a', target: '/dev/b', permissions: 'r' },
        ],
      },
    ],
    [
      '--security-opt seccomp=unconfined --gpus all --runtime runsc',
      { securityOpt: ['seccomp=unconfined'], gpus: 'all', runtime: 'runsc' },
    ],
    ['--sysctl net.core.somaxconn=1024', { sysctls: { 'net.core.somaxconn': '1024' } }],
    [
      '--pid host --ipc host --uts host --userns host --cgroupns host --cgroup-parent jobs',
      {
        pidMode: 'host',
        ipcMode: 'host',
        utsMode: 'host',
        usernsMode: 'host',
        cgroupnsMode: 'host',
        cgroupParent: 'jobs',
      },
    ],
  ])('%s', (text, fields) => {
    const { problems, options } = readContainerOptions(text);
    expect(problems).toEqual([]);
    expect(options.fields).toEqual(fields);
  });
});

it('reads variables, mounts, ports and names', () => {
  const { options, problems } = readContainerOptions(
    `-e A=1 --env 'B=x y=z' -e A=2 -v data:/data -v /srv:/srv:ro -v /anonymous --mount type=bind,src=/a,dst=/b,readonly
     -p 80 --publish 8080-8081:90-91/udp --network-alias pg --net-alias=db --entrypoint "" --pull always`,
  );
  expect(problems).toEqual([]);
  expect(options).toMatchObject({
    env: { A: '2', B: 'x y=z' },
    mounts: [
      { source: 'data', target: '/data', readOnly: false },
      { source: '/srv', target: '/srv', readOnly: true },
      { source: '', target: '/anonymous', readOnly: false },
      { source: '/a', target: '/b', readOnly: true },
    ],
    ports: [
      { container: 80, protocol: 'tcp' },
      { container: 90, host: 8080, protocol: 'udp' },
      { container: 91, host: 8081, protocol: 'udp' },
    ],
    aliases: ['pg', 'db'],
    entrypoint: [''],
    pull: 'always',
  });
});

it('reads a health check', () => {
  const text = `--health-cmd "redis-cli ping" --health-interval 10s --health-timeout=1m30s --health-retries 5 --health-start-period 500ms`;
  expect(read(text).health).toEqual({
    test: ['CMD-SHELL', 'redis-cli ping'],
    intervalMs: 10_000,
    timeoutMs: 90_000,
    retries: 5,
    startPeriodMs: 500,
  });
  expect(read('--no-healthcheck').health).toEqual({ test: 'none' });
});

it('tells everything that is wrong at once', () => {
  const { problems } = readContainerOptions('--memory 2gx --nope x -z --cpus=0 stray --user');
  expect(problems).toEqual([
    '--memory: expected a size such as 512m or 2g, found "2gx"',
    'expected an option of docker run that this runner knows, found "--nope"',
    'expected an option that begins with "-", found "x"',
    'expected an option of docker run that this runner knows, found "-z"',
    '--cpus: expected a number above 0 such as 1.5, found "0"',
    'expected an option that begins with "-", found "stray"',
    'expected a value after --user, found none',
  ]);
});

it.each<[string, string]>([
  ['--memory 0', 'a size'],
  ['--memory 99999999999999999g', 'a size'],
  ['--memory -1', 'a size'],
  ['--cpus x', 'a number above 0'],
  ['--pids-limit 1.5', 'a whole number'],
  ['--ulimit nofile', 'a limit'],
  ['--ulimit nofile=5:2', 'a limit'],
  ['--ulimit nofile=-1:2', 'a limit'],
  ['--ulimit wrong=1', 'a limit'],
  // Docker would hand on a variable of whoever calls it, which is the runner.
  ['-e HOME', 'NAME=value'],
  ['-e =x', 'NAME=value'],
  ['--env-file /etc/shadow', 'no file of the runner'],
  ['--platform arm', 'os/arch'],
  ['--add-host db', 'host:address'],
  ['--tmpfs run', '/path'],
  ['--tmpfs /run:size=1m;x', '/path'],
  ['--health-interval 10', 'a duration'],
  ['--health-interval 1us', 'a duration'],
  ['--health-interval 90000h', 'a duration'],
  ['--health-cmd ""', 'a command'],
  ['--hostname "a b"', 'a host name'],
  ['--network-alias -x', 'a host name'],
  ['--init=maybe', 'true or false'],
  ['--pull sometimes', 'missing, always or never'],
  ['--label org.forgejo.runner.runner=me', "none of the runner's"],
  ['-v a', 'source:target'],
  ['-v :/x', 'source:target'],
  ['-v a:b', 'source:target'],
  ['-v /a:/b:z', 'source:target'],
  ['--mount type=volume,dst=/x,volume-opt=device=/', 'the key "volume-opt"'],
  ['--mount type=volume,src=/etc,dst=/x', 'type=bind'],
  ['--mount type=bind,src=data,dst=/x', 'type=bind'],
  ['--mount type=bind,src=/a', 'type=bind'],
  ['--mount type=npipe,src=/a,dst=/b', 'type=bind'],
  ['-p 127.0.0.1:80:80', '[host:]container'],
  ['-p 80:81-82', '[host:]container'],
  ['-p 1-65535', '[host:]container'],
  ['-p 70000:80', '[host:]container'],
  ['--device dev', '/dev/name'],
  [`--user 'open`, 'every quote to be closed'],
  ['--', 'begins with "-"'],
  ['-', 'begins with "-"'],
])('refuses %s', (text, expected) => {
  const { problems } = readContainerOptions(text);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(expected);
});

it('names what changes nothing', () => {
  const { problems, notices } = readContainerOptions('--network host --rm -d --name x -i --expose 80');
  expect(problems).toEqual([]);
  expect(notices.map((notice) => notice.split(' ')[0])).toEqual([
    '--network',
    '--rm',
    '-d',
    '--name',
    '-i',
    '--expose',
  ]);
});

it('names what reaches beyond the container', () => {
  const text =
    '--privileged --cap-add NET_ADMIN --cap-drop ALL --device=/dev/kvm --ulimit nice=-5 --ulimit nice=5 --ulimit core=0 --pid host';
  expect(readContainerOptions(text).restricted).toEqual([
    '--privileged',
    '--cap-add NET_ADMIN',
    '--device /dev/kvm',
    '--ulimit nice=5',
    '--pid host',
  ]);
});

it('makes something of any text, and puts nothing where it does not belong', () => {
  const names = optionRules.flatMap((rule) => rule.names);
  const word = fc.oneof(fc.constantFrom(...names), fc.string(), fc.constantFrom('__proto__=1', 'a=b', '/x', '1', '='));
  fc.assert(
    fc.property(fc.array(word), (words) => {
      const { options, problems, restricted } = readContainerOptions(words.join(' '));
      expect(Object.getPrototypeOf(options.env)).toBe(Object.prototype);
      expect(restricted.includes('--privileged')).toBe(options.fields.privileged === true);
      for (const problem of problems) expect(problem.length).toBeLessThan(600);
    }),
  );
});

it('is documented option by option', () => {
  const page = readFileSync(fileURLToPath(new URL('../../../../docs/compatibility.md', import.meta.url)), 'utf8');
  const section = /## Options of containers\n([\s\S]*?)\n## /.exec(page)?.[1] ?? '';
  const documented = [...section.matchAll(/`(--?[a-z0-9-]+)`/g)].map(([, name]) => name);
  const known = optionRules.flatMap(({ names }) => names);
  expect(known.filter((name) => !documented.includes(name))).toEqual([]);
  const table = section.split('\n').filter((line) => line.startsWith('| `-'));
  const inFirstColumn = table.flatMap((line) =>
    [...(line.split('|')[1] ?? '').matchAll(/`(--?[a-z0-9-]+)`/g)].map(([, name]) => name),
  );
  expect(inFirstColumn.filter((name) => !known.includes(name ?? ''))).toEqual([]);
});
