import { expect, it } from 'vitest';
import { cleanEnvironment, searchPath } from './clean-environment.ts';

const linux = 'linux' as const;

it('hands on what is on the list and nothing else', () => {
  const runnerEnv = {
    PATH: '/bin',
    HOME: '/home/r',
    LANG: 'C.UTF-8',
    LC_TIME: 'de_DE',
    https_proxy: 'http://p',
    HTTPS_PROXY: 'http://P',
    NODE_EXTRA_CA_CERTS: '/ca',
    FORGEJO_TOKEN: 'secret',
    AWS_SECRET_ACCESS_KEY: 'secret',
    LCX: 'no',
    PWD: '/x',
    SHLVL: '3',
    _: '/usr/bin/node',
    NODE_OPTIONS: '--inspect',
  };
  expect(cleanEnvironment({ runnerEnv, allow: undefined, platform: linux })).toEqual({
    PATH: '/bin',
    HOME: '/home/r',
    LANG: 'C.UTF-8',
    LC_TIME: 'de_DE',
    https_proxy: 'http://p',
    HTTPS_PROXY: 'http://P',
    NODE_EXTRA_CA_CERTS: '/ca',
  });
});

it('takes the list of the configuration instead, with stars, and there is always a search path', () => {
  const runnerEnv = { PATH: '/opt/bin', HOME: '/home/r', ACME_A: '1', ACME_B: '2', OTHER: '3' };
  expect(cleanEnvironment({ runnerEnv, allow: ['ACME_*'], platform: linux })).toEqual({
    ACME_A: '1',
    ACME_B: '2',
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  });
});

it('never hands on what belongs to one shell, or is ours, whatever the list says', () => {
  const runnerEnv = { PATH: '/bin', PWD: '/x', OLDPWD: '/y', SHLVL: '1', HOSTNAME: 'h', _: 'z', FJR_ENV: 'outer' };
  expect(cleanEnvironment({ runnerEnv, allow: ['*'], platform: linux })).toEqual({ PATH: '/bin' });
});

it('does not care about case on Windows, and keeps the spelling', () => {
  const runnerEnv = {
    Path: 'C:\\bin',
    SYSTEMROOT: 'C:\\Windows',
    comspec: 'cmd',
    TOKEN: 'secret',
    'ProgramFiles(x86)': 'p',
  };
  expect(cleanEnvironment({ runnerEnv, allow: undefined, platform: 'win32' })).toEqual({
    Path: 'C:\\bin',
    SYSTEMROOT: 'C:\\Windows',
    comspec: 'cmd',
    'ProgramFiles(x86)': 'p',
  });
});

it('makes up a search path where the runner has none', () => {
  expect(cleanEnvironment({ runnerEnv: {}, allow: undefined, platform: linux })['PATH']).toContain('/usr/bin');
  expect(cleanEnvironment({ runnerEnv: { SystemRoot: 'D:\\Win' }, allow: [], platform: 'win32' })['Path']).toContain(
    'D:\\Win\\system32;D:\\Win;',
  );
});

it('knows how the search path is called and split', () => {
  expect(searchPath({ PATH: '/a:/b' }, linux)).toEqual({
    caseInsensitive: false,
    pathName: 'PATH',
    pathSeparator: ':',
    defaultPath: '/a:/b',
  });
  expect(searchPath({ PATH: 'C:\\a' }, 'win32')).toEqual({
    caseInsensitive: true,
    pathName: 'PATH',
    pathSeparator: ';',
    defaultPath: 'C:\\a',
  });
  expect(searchPath({}, 'win32')).toMatchObject({
    pathName: 'Path',
    defaultPath: expect.stringContaining('C:\\Windows\\system32'),
  });
});
