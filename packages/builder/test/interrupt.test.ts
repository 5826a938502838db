import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { eventually } from '@forgejo-runner/testkit';
import { expect, it } from 'vitest';
import { silentRegistry } from './broken-registries.ts';
import { fixture, openWorkplace, untilEnd, type Workplace, withFixtureRunner } from './run-builder.ts';

/** Command lines of processes that work in a folder or name it. */
async function processesAbout(place: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
    if (command.includes(place) || environment.includes(place)) found.push(command.replaceAll('\0', ' '));
  }
  return found;
}

async function leftOver(workplace: Workplace): Promise<object> {
  return {
    processes: await processesAbout(workplace.cacheDir),
    work: await readdir(`${workplace.cacheDir}/work`),
    trees: existsSync(`${workplace.cacheDir}/trees`) ? await readdir(`${workplace.cacheDir}/trees`) : [],
  };
}

it.runIf(process.platform === 'linux').each(['SIGINT', 'SIGTERM'] as const)(
  'leaves no process and no folder when npm is running and %s comes',
  async (name) => {
    await using registry = await silentRegistry();
    await using workplace = await openWorkplace({ npmrc: `registry=${registry.url}/\n` });
    const child = workplace.start(...withFixtureRunner, '--with', '@acme/backend-k8s');
    const ended = untilEnd(child);
    await eventually(() => registry.logins().length > 0, { what: 'npm to ask the registry' });
    child.kill(name);
    const { code, stderr } = await ended;
    expect(stderr).toContain('interrupted; nothing was written');
    expect(code).toBe(130);
    expect(await leftOver(workplace)).toEqual({ processes: [], work: [], trees: [] });
  },
);

it('leaves no folder and keeps the old output when types are being checked', async () => {
  await using workplace = await openWorkplace();
  const output = workplace.project.join('runner.mjs');
  await workplace.build(...withFixtureRunner, '--with', fixture('good'), '--output', output);
  const before = await readFile(output, 'utf8');
  const child = workplace.start(
    ...withFixtureRunner,
    '--with',
    fixture('subpath'),
    '--output',
    output,
    '--log-format=json',
  );
  const started = once(child.stdout ?? child, 'data');
  const ended = untilEnd(child);
  await started;
  child.kill('SIGINT');
  expect((await ended).code).toBe(130);
  expect(await readFile(output, 'utf8')).toBe(before);
  expect(await readdir(`${workplace.cacheDir}/work`)).toEqual([]);
  expect((await readdir(workplace.project.path)).toSorted()).toEqual(['package.json', 'runner.mjs']);
});

it('removes what a killed builder left behind', async () => {
  await using registry = await silentRegistry();
  await using workplace = await openWorkplace({ npmrc: `registry=${registry.url}/\n` });
  const child = workplace.start(...withFixtureRunner, '--with', '@acme/backend-k8s');
  const ended = untilEnd(child);
  await eventually(() => registry.logins().length > 0, { what: 'npm to ask the registry' });
  child.kill('SIGKILL');
  expect((await readdir(`${workplace.cacheDir}/work`)).length).toBe(1);
  await registry[Symbol.asyncDispose]();
  await ended;
  const { code } = await workplace.build(...withFixtureRunner, '--with', fixture('good'));
  expect(code).toBe(0);
  expect(await readdir(`${workplace.cacheDir}/work`)).toEqual([]);
});

it('lets the runner of the dev loop end in its own way', async () => {
  await using workplace = await openWorkplace();
  const child = workplace.start('run', ...withFixtureRunner, '--', 'wait');
  const started = once(child.stdout ?? child, 'data');
  const ended = untilEnd(child);
  await started;
  child.kill('SIGINT');
  expect(await ended).toMatchObject({ code: 7, stdout: 'waiting\ncleaned up\n' });
  expect(await readdir(`${workplace.cacheDir}/work`)).toEqual([]);
});
