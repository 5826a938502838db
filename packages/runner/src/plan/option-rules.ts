import { parseDuration } from './duration.ts';
import type { OptionDraft } from './option-fields.ts';
import {
  each,
  fits,
  flag,
  idle,
  number,
  onlyAdministrators,
  option,
  type OptionRule,
  restricted,
  take,
  text,
  wrong,
} from './option-rule.ts';
import {
  isGreedy,
  readAssignment,
  readBytes,
  readCount,
  readCpus,
  readDevice,
  readExtraHost,
  readMountOption,
  readPlatform,
  readPorts,
  readTmpfs,
  readUlimit,
  readVolume,
} from './option-values.ts';

const longestMs = 24 * 60 * 60_000;
const veryMany = 2 ** 31 - 1;

/** Every option that is known. `docs/compatibility.md` has the same table for readers; a test compares the two. */
export const optionRules: readonly OptionRule[] = [
  ...ofProcess(),
  ...ofResources(),
  ...ofFiles(),
  ...ofNetwork(),
  ...ofHealth(),
  ...ofRights(),
  ...withoutEffect(),
];

function ofProcess(): readonly OptionRule[] {
  return [
    option('--env -e', (value, draft) =>
      take(readAssignment(value), ([name, text]) => (draft.env = { ...draft.env, [name]: text })),
    ),
    { ...option('--env-file', () => 'expected no file of the runner; write the variables under env'), isSwitch: false },
    option('--user -u', text('user', /^[^\s:]+(?::[^\s:]+)?$/, 'a user such as 1000, me or 1000:1000')),
    option('--workdir -w', text('workdir', /^(?:\/|[A-Za-z]:[\\/])/, 'an absolute path')),
    option('--entrypoint', (value, draft) => void (draft.entrypoint = [value])),
    option('--stop-signal', text('stopSignal', /^(?:SIG)?[A-Z0-9+-]{1,16}$/, 'a signal such as SIGINT')),
    option(
      '--group-add',
      each('groupAdd', (value) => fits(value, /^[^\s:]+$/, 'a group')),
    ),
    option('--platform', (value, { fields }) => take(readPlatform(value), (platform) => (fields.platform = platform))),
    option('--pull', (value, draft) => {
      if (value !== 'missing' && value !== 'always' && value !== 'never')
        return wrong('missing, always or never', value);
      draft.pull = value;
      return undefined;
    }),
    option('--label -l', (value, { fields }) => {
      const [name = '', ...rest] = value.split('=');
      // Who a container belongs to stands in labels.
      if (name === '' || name.startsWith('org.forgejo.runner'))
        return wrong("name=value that is none of the runner's", value);
      fields.labels = { ...fields.labels, [name]: rest.join('=') };
      return undefined;
    }),
    flag('--init', (fields) => (fields.init = true)),
    flag('--tty -t', (fields) => (fields.tty = true)),
    flag('--read-only', (fields) => (fields.readOnly = true)),
  ];
}

function ofResources(): readonly OptionRule[] {
  return [
    option('--memory -m', number('memory', readBytes)),
    option('--memory-reservation', number('memoryReservation', readBytes)),
    option('--shm-size', number('shmSize', readBytes)),
    option('--cpus', number('cpus', readCpus)),
    option(
      '--cpu-shares -c',
      number('cpuShares', (value) => readCount(value, { min: 2, max: 262_144 })),
    ),
    option(
      '--pids-limit',
      number('pidsLimit', (value) => readCount(value, { min: -1, max: veryMany })),
    ),
    {
      ...option('--ulimit', each('ulimits', readUlimit)),
      isRestricted: (value) => {
        const read = readUlimit(value);
        return 'value' in read && isGreedy(read.value);
      },
    },
    // More swap is more memory than a limit of the administrator says.
    restricted(
      '--memory-swap',
      number('memorySwap', (value) => (value === '-1' ? { value: -1 } : readBytes(value))),
    ),
    restricted(
      '--cpuset-cpus',
      text('cpusetCpus', /^\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*$/, 'processors such as 0-3 or 0,2'),
    ),
  ];
}

function ofFiles(): readonly OptionRule[] {
  return [
    option('--volume -v', (value, draft) =>
      take(readVolume(value), (mount) => (draft.mounts = [...draft.mounts, mount])),
    ),
    option('--mount', (value, draft) =>
      take(readMountOption(value), (found) => {
        if ('mount' in found) draft.mounts = [...draft.mounts, found.mount];
        else draft.fields.tmpfs = { ...draft.fields.tmpfs, [found.tmpfs[0]]: found.tmpfs[1] };
      }),
    ),
    option('--tmpfs', (value, { fields }) =>
      take(readTmpfs(value), ([path, options]) => (fields.tmpfs = { ...fields.tmpfs, [path]: options })),
    ),
  ];
}

function ofNetwork(): readonly OptionRule[] {
  return [
    option('--publish -p', (value, draft) =>
      take(readPorts(value), (ports) => (draft.ports = [...draft.ports, ...ports])),
    ),
    option('--hostname -h', text('hostname', /^[A-Za-z0-9][A-Za-z0-9.-]{0,62}$/, 'a host name')),
    option('--network-alias --net-alias', (value, draft) =>
      take(
        fits(value, /^[A-Za-z0-9_][\w.-]{0,62}$/, 'a host name'),
        (alias) => (draft.aliases = [...draft.aliases, alias]),
      ),
    ),
    option('--add-host', each('extraHosts', readExtraHost)),
    option(
      '--dns',
      each('dns', (value) => fits(value, /^[0-9A-Fa-f.:]+$/, 'an address')),
    ),
    option(
      '--dns-search',
      each('dnsSearch', (value) => fits(value, /^[\w.-]+$/, 'a domain')),
    ),
  ];
}

function ofHealth(): readonly OptionRule[] {
  const time =
    (key: 'intervalMs' | 'timeoutMs' | 'startPeriodMs') =>
    (value: string, { health }: OptionDraft): string | undefined => {
      const ms = parseDuration(value);
      // Docker refuses less than a millisecond, and takes 0 for the default.
      if (ms === undefined || (ms < 1 && !/^[+-]?0/.test(value)) || ms > longestMs)
        return wrong('a duration such as 10s', value);
      health[key] = ms;
      return undefined;
    };
  return [
    option('--health-cmd', (value, { health }) => {
      if (value.trim() === '') return wrong('a command', value);
      health.test = ['CMD-SHELL', value];
      return undefined;
    }),
    option('--health-interval', time('intervalMs')),
    option('--health-timeout', time('timeoutMs')),
    option('--health-start-period', time('startPeriodMs')),
    option('--health-retries', (value, { health }) =>
      take(readCount(value, { min: 0, max: 1000 }), (retries) => (health.retries = retries)),
    ),
    { ...option('--no-healthcheck', (_value, { health }) => void (health.test = 'none')), isSwitch: true },
  ];
}

/** What reaches beyond the container. */
function ofRights(): readonly OptionRule[] {
  const any = /^[^\s]+$/;
  return [
    { ...flag('--privileged', (fields) => (fields.privileged = true)), isRestricted: onlyAdministrators },
    restricted(
      '--cap-add',
      each('capAdd', (value) => fits(value, /^[A-Za-z_]+$/, 'a capability')),
    ),
    option(
      '--cap-drop',
      each('capDrop', (value) => fits(value, /^[A-Za-z_]+$/, 'a capability')),
    ),
    restricted('--device', each('devices', readDevice)),
    restricted(
      '--security-opt',
      each('securityOpt', (value) => fits(value, any, 'name=value')),
    ),
    restricted('--gpus', text('gpus', any, 'all, a number or device=…')),
    restricted('--sysctl', (value, { fields }) =>
      take(readAssignment(value), ([name, setting]) => (fields.sysctls = { ...fields.sysctls, [name]: setting })),
    ),
    restricted('--runtime', text('runtime', any, 'a runtime')),
    restricted('--pid', text('pidMode', any, 'a namespace')),
    restricted('--ipc', text('ipcMode', any, 'a namespace')),
    restricted('--uts', text('utsMode', any, 'a namespace')),
    restricted('--userns', text('usernsMode', any, 'a namespace')),
    restricted('--cgroupns', text('cgroupnsMode', any, 'a namespace')),
    restricted('--cgroup-parent', text('cgroupParent', any, 'a control group')),
  ];
}

function withoutEffect(): readonly OptionRule[] {
  const own = 'the runner decides that';
  const log = 'the output of a container goes into the log of the job';
  return [
    idle('--network --net', 'containers of a job share the network of the job'),
    idle('--ip --ip6 --mac-address --link --link-local-ip', 'containers of a job share the network of the job'),
    idle('--expose', 'containers of a job reach each other at every port'),
    idle('--name --restart --cidfile --stop-timeout --detach-keys', own),
    idle('--attach -a --log-driver --log-opt', log),
    idle('--health-start-interval', 'the check runs at --health-interval from the start'),
    {
      ...idle('--rm --detach -d --interactive -i --sig-proxy --quiet -q --disable-content-trust', own),
      isSwitch: true,
    },
  ];
}
