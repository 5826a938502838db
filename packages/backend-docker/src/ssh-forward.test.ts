import { describe, expect, it } from 'vitest';
import { parseSshAddress } from './ssh-forward.ts';

describe('an address for ssh', () => {
  it.each([
    ['ssh://host', { host: 'host', socket: '/var/run/docker.sock' }],
    ['ssh://ci@host.example:2222', { user: 'ci', host: 'host.example', port: 2222, socket: '/var/run/docker.sock' }],
    [
      'ssh://ci@host/run/user/1000/podman/podman.sock',
      { user: 'ci', host: 'host', socket: '/run/user/1000/podman/podman.sock' },
    ],
    ['ssh://[fd00::1]:22', { host: 'fd00::1', port: 22, socket: '/var/run/docker.sock' }],
  ])('%s', (address, expected) => {
    expect(parseSshAddress(address)).toEqual(expected);
  });

  it.each([
    'ssh://',
    'ssh://-oProxyCommand=evil',
    'ssh://-evil@host',
    'ssh://host/a:b',
    'ssh://user:secret@host',
    'ssh://host?x=1',
    'ssh://ho%20st',
    'ssh://host/a%0ab',
    'ssh',
  ])('is refused where ssh could take it for something else: %s', (address) => {
    expect(() => parseSshAddress(address)).toThrow('expected ssh://user@host:port/path/of/socket');
  });

  it('never shows a password that somebody put into it', () => {
    expect(() => parseSshAddress('ssh://user:secret@host')).toThrow(/^[^s]*ssh(?!.*secret)/);
  });
});
