import { expect, it } from 'vitest';
import { type ExecOptions, execCommand, readExecOptions } from './exec-options.ts';

function read(...args: string[]): ExecOptions {
  const command = execCommand()
    .exitOverride()
    .configureOutput({ outputError: () => {} });
  command.action(() => {});
  command.parse(args, { from: 'user' });
  return readExecOptions(command);
}

const defaults: ExecOptions = {
  list: false,
  detectEvent: false,
  workflows: './.forgejo/workflows/',
  directory: '.',
  recurse: true,
  pull: false,
  rebuild: false,
  json: false,
  env: [],
  envFile: '.env',
  envFileIsGiven: false,
  secrets: [],
  vars: [],
  insecureSecrets: false,
  privileged: false,
  userns: '',
  containerDaemonSocket: '/var/run/docker.sock',
  useGitignore: true,
  containerCapAdd: [],
  containerCapDrop: [],
  containerOptions: '',
  defaultActionsUrl: 'https://code.forgejo.org',
  noSkipCheckout: false,
  debug: false,
  dryRun: false,
  image: 'node:20-bullseye',
  imageIsGiven: false,
  platforms: [],
  network: '',
  enableIpv6: false,
  forgejoInstance: '',
};

it('has the defaults of the Go runner', () => {
  expect(read()).toEqual(defaults);
});

it.each<[string[], Partial<ExecOptions>]>([
  [['-l'], { list: true }],
  [['--list'], { list: true }],
  [['-j', 'build'], { job: 'build' }],
  [['--job=build'], { job: 'build' }],
  [['-E', 'pull_request'], { event: 'pull_request' }],
  [['--event', 'push'], { event: 'push' }],
  [['--detect-event'], { detectEvent: true }],
  [['-e', 'event.json'], { eventPath: 'event.json' }],
  [['--eventpath', 'event.json'], { eventPath: 'event.json' }],
  [['-W', 'ci.yml'], { workflows: 'ci.yml' }],
  [['--workflows', 'ci.yml'], { workflows: 'ci.yml' }],
  [['-C', 'src'], { directory: 'src' }],
  [['--directory', 'src'], { directory: 'src' }],
  [['--no-recurse'], { recurse: false }],
  [['-p'], { pull: true }],
  [['--pull'], { pull: true }],
  [['--rebuild'], { rebuild: true }],
  [['--json'], { json: true }],
  [['--env', 'A=1', '--env', 'B=2=3'], { env: ['A=1', 'B=2=3'] }],
  [['--env-file', '.env'], { envFileIsGiven: true }],
  [['-s', 'A=1', '--secret', 'B'], { secrets: ['A=1', 'B'] }],
  [['--var', 'A=1'], { vars: ['A=1'] }],
  [['--insecure-secrets'], { insecureSecrets: true }],
  [['--privileged'], { privileged: true }],
  [['--userns', 'host'], { userns: 'host' }],
  [['--container-architecture', 'linux/arm64'], { containerArchitecture: 'linux/arm64' }],
  [['--container-daemon-socket', '-'], { containerDaemonSocket: '-' }],
  [['--container-cap-add', 'A', '--container-cap-add', 'B'], { containerCapAdd: ['A', 'B'] }],
  [['--container-cap-drop', 'A'], { containerCapDrop: ['A'] }],
  [['--container-opts', '-c 512'], { containerOptions: '-c 512' }],
  [['--default-actions-url', 'https://x.example'], { defaultActionsUrl: 'https://x.example' }],
  [['--no-skip-checkout'], { noSkipCheckout: true }],
  [['-d'], { debug: true }],
  [['--debug'], { debug: true }],
  [['-n'], { dryRun: true }],
  [['--dryrun'], { dryRun: true }],
  [['-i', '-self-hosted'], { image: '-self-hosted', imageIsGiven: true }],
  [['--image', 'alpine:3'], { image: 'alpine:3', imageIsGiven: true }],
  [['-P', 'ci=host', '--platform', 'x=docker://a?b=c'], { platforms: ['ci=host', 'x=docker://a?b=c'] }],
  [['--network', 'host'], { network: 'host' }],
  [['-6'], { enableIpv6: true }],
  [['--enable-ipv6'], { enableIpv6: true }],
  [['--forgejo-instance', 'https://f.example'], { forgejoInstance: 'https://f.example' }],
  [['-lnd'], { list: true, dryRun: true, debug: true }],
  // Go's way to say it.
  [['--pull=true', '--list=false'], { pull: true }],
  [['--use-gitignore=false'], { useGitignore: false }],
  [['--use-gitignore'], {}],
  [['--no-recurse=true'], { recurse: false }],
  [['--no-recurse=false'], {}],
  [['--no-skip-checkout=false'], {}],
  [['--pull=1', '--privileged=F'], { pull: true }],
])('reads %j', (args, changed) => {
  const expected = { ...defaults, ...changed };
  expect(read(...args)).toEqual(args.includes('--env-file') ? { ...expected, envFile: '.env' } : expected);
});

it.each([
  [['--pull=maybe'], "error: option '-p, --pull [boolean]' argument 'maybe' is invalid. expected true or false"],
  [['--lst'], "error: unknown option '--lst'\n(Did you mean --list?)"],
  [['-s'], "error: option '-s, --secret <name=value>' argument missing"],
])('refuses %j', (args, message) => {
  expect(() => read(...args)).toThrow(message);
});
