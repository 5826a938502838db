import { openTempFolder } from '@forgejo-runner/testkit';
import { expect, it } from 'vitest';
import { makeRedactor, npmEnvironment, readNpmConfig } from './npm-config.ts';

it('finds the configuration of the project that a folder is in', async () => {
  await using folder = await openTempFolder();
  await folder.write({ '.npmrc': 'registry=https://example.org/\n', 'package.json': '{}', 'src/deep/.keep': '' });
  const env = { npm_config_userconfig: folder.join('none') };
  expect(readNpmConfig(folder.join('src/deep'), env).projectFile).toBe(folder.join('.npmrc'));
});

it('passes on what npm needs, and nothing else of our environment', async () => {
  await using folder = await openTempFolder();
  await folder.write({ '.npmrc': '//r.example/:_authToken=${CORP_TOKEN}\n', 'package.json': '{}' });
  const env = {
    PATH: '/bin',
    HOME: '/home/me',
    https_proxy: 'http://proxy',
    npm_config_userconfig: folder.join('none'),
    npm_config_registry: 'https://r.example',
    npm_config_local_prefix: '/outer/project',
    npm_package_name: 'outer',
    CORP_TOKEN: 'x',
    FORGEJO_TOKEN: 'secret',
    NODE_OPTIONS: '--require evil',
  };
  const passed = npmEnvironment(readNpmConfig(folder.path, env), env);
  expect(Object.keys(passed).toSorted()).toEqual([
    'CORP_TOKEN',
    'GIT_TERMINAL_PROMPT',
    'HOME',
    'NO_UPDATE_NOTIFIER',
    'PATH',
    'https_proxy',
    'npm_config_registry',
    'npm_config_userconfig',
  ]);
});

it('hides every form of a login', async () => {
  await using folder = await openTempFolder();
  const password = Buffer.from('s3cret-pass').toString('base64');
  await folder.write({
    'package.json': '{}',
    '.npmrc': `//a/:_authToken=\${TOKEN}\n//b/:_password="${password}"\n; comment\nemail=me@example.org\n//c/:_auth=dXNlcjpwYXNz\n`,
  });
  const env = { TOKEN: 'tok-123456', NPM_TOKEN: 'other-token', npm_config_userconfig: folder.join('none') };
  const redact = makeRedactor(readNpmConfig(folder.path, env));
  const text = `tok-123456 other-token ${password} s3cret-pass user:pass https://joe:pw@host/x npm_${'a'.repeat(36)} me@example.org`;
  expect(redact(text)).toBe('*** *** *** *** *** https://***@host/x *** me@example.org');
});
