import { execFileSync } from 'node:child_process';
import { callContext } from '@forgejo-runner/testkit';
import { pack } from 'tar-stream';
import { beforeAll, describe, expect, it } from 'vitest';
import { makeImage, openBench, sh, socketPath } from './docker-fixture.ts';
import { canOwnEngine, type OwnEngine, type OwnEngineOptions, startOwnEngine } from './own-engine-fixture.ts';

let image = '';

/** An engine that has the image, and may be harmed. */
async function start(options: OwnEngineOptions = {}): Promise<OwnEngine> {
  const engine = await startOwnEngine(options);
  const saved = execFileSync('docker', ['-H', `unix://${socketPath}`, 'save', image], { maxBuffer: 64 * 1024 * 1024 });
  execFileSync('docker', ['-H', engine.address, 'load'], { input: saved, stdio: ['pipe', 'ignore', 'pipe'] });
  return engine;
}

function tarOf(name: string, content: Buffer): AsyncIterable<Uint8Array> {
  const archive = pack();
  archive.entry({ name }, content);
  archive.finalize();
  return archive as AsyncIterable<Uint8Array>; // a stream without an encoding gives bytes
}

describe.runIf(canOwnEngine || process.env['CI'] !== undefined)('an engine', () => {
  beforeAll(() => {
    image = makeImage('busybox', {
      changes: ['ENV FROM_IMAGE=yes', 'ENV HOSTNAME=wrong', 'ENTRYPOINT ["/bin/false"]'],
    });
  });

  it('that dies in mid-job loses the job with the reason, and works again when it is back', async () => {
    await using engine = await start();
    const { create, backend } = await openBench(image, { endpoint: engine.address });
    const environment = await create();
    const running = sh(environment.target, 'sleep 1000').catch((error: unknown) => error);
    await expect.poll(() => engine.docker('top', environment.id), { timeout: 30_000 }).toContain('sleep 1000');

    await engine.kill();
    expect(await running).toMatchObject({
      code: 'lost',
      message: expect.stringMatching(/^the end of the process is not known: .*no answer from the engine/),
      details: { hint: 'look at the log of the engine, and at the memory of its machine' },
    });
    expect(await backend.health(callContext())).toMatchObject({
      status: 'down',
      detail: expect.stringContaining(engine.socket),
    });
    await expect(create()).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('no answer from the engine'),
      details: { hint: expect.stringContaining('start the engine') },
    });
    // What cannot be removed is told, not forgotten.
    const left = await environment.remove(callContext());
    expect(left.leaked.length).toBeGreaterThan(0);

    await engine.start();
    expect(await backend.health(callContext())).toEqual({ status: 'ok' });
    await using next = await create();
    expect((await sh(next.target, 'echo works')).stdout).toBe('works\n');
    await next.remove(callContext());
    await environment.remove(callContext());
    expect([engine.docker('ps', '-aq'), engine.docker('volume', 'ls', '-q')]).toEqual(['', '']);
    await backend[Symbol.asyncDispose]();
  });

  it('that has no room left says so, and works again when there is some', async () => {
    await using engine = await start({ sizeMb: 96 });
    const { create, backend } = await openBench(image, { endpoint: engine.address });
    await using environment = await create();
    const { workspace } = environment.info.paths;
    const fill = await sh(environment.target, `dd if=/dev/zero of=${workspace}/full bs=65536`);
    expect(fill.result).toEqual({ kind: 'exited', code: 1 });
    expect(fill.stderr).toContain('No space left on device');
    const full = {
      code: 'unavailable',
      message: expect.stringContaining('the disk of the engine is full'),
      details: { hint: expect.stringContaining('free space on the disk of the engine') },
    };
    const copying = environment.target?.copyIn(
      { dest: workspace, tar: tarOf('big', Buffer.alloc(4 * 1024 * 1024)) },
      callContext(),
    );
    await expect(copying).rejects.toMatchObject(full);
    await expect(create()).rejects.toMatchObject(full);

    // Running a program takes some room as well.
    await environment.remove(callContext());
    await using next = await create();
    expect((await sh(next.target, 'echo works')).stdout).toBe('works\n');
    await backend[Symbol.asyncDispose]();
  });
});
