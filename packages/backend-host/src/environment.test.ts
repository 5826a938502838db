import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { newMarker, type ProcessTable } from '@forgejo-runner/kit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { cleanEnvironment } from './clean-environment.ts';
import { HostEnvironment } from './environment.ts';
import { jobFolders } from './job-folders.ts';

let parent = '';
const table: ProcessTable = { list: async () => [], signal: async () => {}, startOf: async () => undefined };

beforeEach(async () => {
  parent = await mkdtemp(path.join(tmpdir(), 'environment-'));
  await mkdir(path.join(parent, 'job', 'home'), { recursive: true });
});
afterEach(() => rm(parent, { recursive: true, force: true }));

function environmentOf(
  platform: NodeJS.Platform,
  runnerEnv: NodeJS.ProcessEnv,
  allow?: readonly string[],
): HostEnvironment {
  return new HostEnvironment({
    name: 'job',
    folders: jobFolders(parent, 'job'),
    marker: newMarker('ENV'),
    expiresAt: Date.now() + 60_000,
    cleanEnv: cleanEnvironment({ runnerEnv, allow, platform }),
    runnerEnv,
    platform,
    table,
    onRemoved: () => {},
  });
}

it.each<[NodeJS.Platform, string, string]>([
  ['linux', 'Linux', 'posix'],
  ['darwin', 'macOS', 'posix'],
  ['freebsd', 'FreeBSD', 'posix'],
  ['win32', 'Windows', 'win32'],
])('describes %s', (platform, os, pathStyle) => {
  const { info } = environmentOf(platform, { PATH: '/bin' });
  expect([info.os, info.pathStyle, info.env.caseInsensitive]).toEqual([os, pathStyle, platform === 'win32']);
  expect(['X64', 'ARM64', 'X86', 'ARM']).toContain(info.arch);
});

it('takes the runner’s home where the list hands it on', () => {
  const { info, target } = environmentOf('linux', { PATH: '/bin', HOME: parent });
  expect([info.paths.home, target.baseEnv['HOME']]).toEqual([parent, parent]);
});

it.each<[string, NodeJS.ProcessEnv, readonly string[] | undefined]>([
  ['the list does not have it', { HOME: tmpdir() }, ['PATH']],
  ['it does not exist', { HOME: '/no/such/home' }, undefined],
  ['it is relative', { HOME: 'home' }, undefined],
  ['there is none', {}, undefined],
])('gives a home of the job’s own where %s', (_, runnerEnv, allow) => {
  const { info, target } = environmentOf('linux', runnerEnv, allow);
  expect(info.paths.home).toBe(path.join(parent, 'job', 'home'));
  expect(target.baseEnv['HOME']).toBe(info.paths.home);
});

it('sends temporary files of Windows programs into the job’s folder', () => {
  const { info, target } = environmentOf('win32', { Path: 'C:\\bin', TEMP: 'C:\\Temp', USERPROFILE: 'C:\\missing' });
  expect([target.baseEnv['TEMP'], target.baseEnv['TMP']]).toEqual([info.paths.temp, info.paths.temp]);
  expect(target.baseEnv['USERPROFILE']).toBe(info.paths.home);
});

it('names paths that differ from each other', () => {
  const paths = Object.values(environmentOf('linux', {}).info.paths);
  expect(new Set(paths).size).toBe(paths.length);
});
