import { chmod, readFile } from 'node:fs/promises';
import { eventually, openTempFolder } from '@forgejo-runner/testkit';
import { expect, it } from 'vitest';
import { openServiceManager } from './service-manager.ts';

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

it('tells the service manager that it is ready, alive and stopping', async () => {
  await using temp = await openTempFolder();
  await temp.write({ 'systemd-notify': `#!/bin/sh\necho "$NOTIFY_SOCKET $*" >> ${temp.join('told')}\n` });
  await chmod(temp.join('systemd-notify'), 0o755);
  const env = { NOTIFY_SOCKET: '/run/notify', PATH: `${temp.path}:/usr/bin:/bin`, WATCHDOG_USEC: '20000' };
  using manager = openServiceManager(env, quiet);
  const told = async (): Promise<string> => readFile(temp.join('told'), 'utf8').catch(() => '');
  manager.ready('capacity 2');
  await eventually(async () => (await told()).includes('/run/notify --ready --status=capacity 2\n'));
  await eventually(async () => (await told()).includes('/run/notify WATCHDOG=1\n'));
  manager.stopping();
  await eventually(async () => (await told()).includes('STOPPING=1'));
  expect(await told()).not.toContain('undefined');
});

it('says once that the command is missing', async () => {
  await using temp = await openTempFolder();
  const warnings: string[] = [];
  const log = { ...quiet, warn: (message: string) => void warnings.push(message) };
  using manager = openServiceManager({ NOTIFY_SOCKET: '/run/notify', PATH: temp.path }, log);
  manager.ready('x');
  await eventually(() => warnings.length > 0);
  expect(warnings).toEqual(['the service manager cannot be told how this service is']);
});
