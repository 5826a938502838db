import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { callContext } from '@forgejo-runner/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import { docker, hasEngine, inventory, makeImage, newName, openBench, serviceSpec, sh } from './docker-fixture.ts';

let image = '';

/** A process with an environment of that runner, which is killed as soon as it has one. */
async function leaveEnvironment(owner: { readonly runner: string; readonly boot: string }): Promise<string> {
  const fixture = new URL('docker-fixture.ts', import.meta.url).href;
  const script = `
    import { openBench } from ${JSON.stringify(fixture)};
    const { create } = await openBench(${JSON.stringify(image)}, {}, ${JSON.stringify(owner)});
    console.log((await create()).name);
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--conditions=@forgejo-runner/source', '--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [name] = (await once(createInterface(child.stdout), 'line')) as [string]; // readline gives lines
  child.kill('SIGKILL');
  await once(child, 'exit');
  return name;
}

describe.runIf(hasEngine)('two runners on one engine', () => {
  beforeAll(() => {
    image = makeImage('busybox', {
      changes: ['ENV FROM_IMAGE=yes', 'ENV HOSTNAME=wrong', 'ENTRYPOINT ["/bin/false"]'],
    });
  });

  it('remove what each of them left when it was killed, and nothing of the other or of anybody else', async () => {
    const [killed, living] = [`runner-${newName()}`, `runner-${newName()}`];
    const other = await openBench(image, {}, { runner: living, boot: 'boot-1' });
    const service = serviceSpec(image, { entrypoint: ['/bin/sleep', '1000'] });
    await using environment = await other.create({ plan: { services: [service], stepContainers: 'none' } });
    await environment.createServiceContainer?.(service, callContext());
    const foreign = newName();
    docker('volume', 'create', foreign);
    const left = await leaveEnvironment({ runner: killed, boot: 'boot-1' });
    expect(inventory(killed)).toHaveLength(4);
    const ofOther = inventory(living);
    expect(ofOther).toHaveLength(5);

    const request = { keep: [], dryRun: false, otherBoots: 'remove' } as const;
    const sweptByOther = await other.backend.sweep({ ...request, owner: other.owner }, callContext());
    expect(sweptByOther).toMatchObject({ removed: [], leaked: [], kept: [environment.name] });
    expect(inventory(killed)).toHaveLength(4);

    const again = await openBench(image, {}, { runner: killed, boot: 'boot-2' });
    const would = await again.backend.sweep({ ...request, dryRun: true, owner: again.owner }, callContext());
    expect(would.removed).toHaveLength(4);
    const swept = await again.backend.sweep({ ...request, owner: again.owner }, callContext());
    expect(swept).toMatchObject({ leaked: [], kept: [] });
    expect(swept.removed.toSorted()).toEqual(would.removed.toSorted());
    for (const object of swept.removed) expect(object).toContain(left);
    expect([inventory(killed), inventory(living)]).toEqual([[], ofOther]);
    expect(docker('volume', 'ls', '-q').split('\n')).toContain(foreign);
    expect((await sh(environment.target, 'echo alive')).stdout).toBe('alive\n');
    docker('volume', 'rm', foreign);
    await again.backend[Symbol.asyncDispose]();
  });
});
