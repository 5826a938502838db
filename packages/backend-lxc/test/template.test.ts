import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { callContext, openTempFolder, type TempFolder, type TestContext } from '@forgejo-runner/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { findEngine } from '../../../e2e/engines.ts';
import { loadTestImages } from '../../../e2e/images/load-images.ts';
import { configSchema } from '../src/config.ts';
import { findRootAccess, type RootAccess } from '../src/root-access.ts';
import { TemplateStore } from '../src/template.ts';
import { openLxc, sh, whyNoLxc } from './lxc-fixture.ts';

const hourMs = 3_600_000;
const engine = whyNoLxc === undefined ? await findEngine('docker') : undefined;
const docker = (...args: readonly string[]): string => execFileSync('docker', args, { encoding: 'utf8' });
const made = (ctx: TestContext): number => ctx.progressed.text().split('Making the template').length - 1;
const label = { template: 'test', presets: [], docker: false } as const;

describe.skipIf(whyNoLxc !== undefined)(`templates of LXC${whyNoLxc === undefined ? '' : `: ${whyNoLxc}`}`, () => {
  let folder: TempFolder;
  let root: RootAccess;
  let now = 0;
  const programs = { 'bin/sh': '', 'bin/tar': '', 'usr/bin/perl': '' };

  beforeEach(async () => {
    folder = await openTempFolder('forgejo-runner-template-');
    await chmod(folder.path, 0o711);
    root = await findRootAccess({ signal: new AbortController().signal });
    now = Date.now();
    await pack(programs);
  });
  afterEach(() => folder[Symbol.asyncDispose]());

  /** What a template is made of. Nothing of it is ever started here. */
  async function pack(files: Readonly<Record<string, string>>): Promise<void> {
    await folder.write(Object.fromEntries(Object.entries(files).map(([name, text]) => [`root/${name}`, text])));
    execFileSync('tar', ['-C', folder.join('root'), '-cf', folder.join('rootfs.tar'), '.']);
  }

  function store(source: object = { rootfs: folder.join('rootfs.tar') }): TemplateStore {
    const config = configSchema.parse({ storage: folder.join('lxc'), templates: { test: source } });
    return new TemplateStore(config, root, () => now);
  }

  it('makes one for all who want it at the same time', async () => {
    const contexts = Array.from({ length: 6 }, () => callContext());
    const found = await Promise.all(contexts.map((ctx) => store().provide(label, ctx)));
    expect(new Set(found.map(({ rootfs }) => rootfs)).size).toBe(1);
    expect(contexts.map(made).toSorted((a, b) => a - b)).toEqual([0, 0, 0, 0, 0, 1]);
  });

  it('gives up waiting for another maker with its job', async () => {
    const { rootfs } = await store().provide(label, callContext());
    now += 200 * hourMs;
    // Whoever else makes it holds the lock.
    const lock = join(dirname(dirname(rootfs)), 'lock');
    await using holder = new AsyncDisposableStack();
    const child = spawn('flock', [lock, 'sh', '-c', 'echo held; exec cat'], { stdio: ['pipe', 'pipe', 'ignore'] });
    holder.defer(() => void child.stdin.end());
    await new Promise((resolve) => void child.stdout.once('data', resolve));
    const waiting = store().provide(label, callContext(AbortSignal.timeout(300)));
    await expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('makes an old one again, and removes the old one unless a container stands on it', async () => {
    const first = await store().provide(label, callContext());
    now += 167 * hourMs;
    expect(await store().provide(label, callContext())).toEqual(first);
    await mkdir(folder.join('lxc', 'jobs', 'running'), { recursive: true });
    const line = `lxc.rootfs.path = overlay:${first.rootfs}:/anywhere\n`;
    await writeFile(folder.join('lxc', 'jobs', 'running', 'config'), line);
    now += 2 * hourMs;
    const second = await store().provide(label, callContext());
    expect(second.rootfs).not.toBe(first.rootfs);
    const generations = async (): Promise<readonly string[]> =>
      (await readdir(dirname(dirname(first.rootfs)))).filter((name) => name !== 'lock');
    expect(await generations()).toHaveLength(2);
    await writeFile(folder.join('lxc', 'jobs', 'running', 'config'), '');
    now += 200 * hourMs;
    await store().provide(label, callContext());
    expect(await generations()).toHaveLength(1);
  });

  it('takes an archive that was replaced, at once', async () => {
    const first = await store().provide(label, callContext());
    await pack({ ...programs, 'etc/new': 'x' });
    const second = await store().provide(label, callContext());
    expect(second.rootfs).not.toBe(first.rootfs);
    expect(await readdir(join(second.rootfs, 'etc'))).toContain('new');
  });

  it('removes what a maker left that was killed', async () => {
    const { rootfs } = await store().provide(label, callContext());
    const home = dirname(dirname(rootfs));
    await mkdir(join(home, '.making-0000000000001-00000000', 'rootfs'), { recursive: true });
    now += 200 * hourMs;
    await store().provide(label, callContext());
    expect((await readdir(home)).filter((name) => name.startsWith('.making-'))).toEqual([]);
  });

  it('says which program a template lacks', async () => {
    execFileSync('rm', [folder.join('root', 'usr', 'bin', 'perl')]);
    await pack({});
    await expect(store().provide(label, callContext())).rejects.toMatchObject({
      code: 'plan',
      message: 'expected /usr/bin/perl in template test, found none',
    });
  });

  it('writes nothing beside a template, whatever symlinks are in its archive', async () => {
    await folder.write({ 'victim/machine-id': 'kept' });
    execFileSync('ln', ['-s', folder.join('victim'), folder.join('root', 'etc')]);
    execFileSync('ln', ['-s', folder.join('victim'), folder.join('root', 'dev')]);
    await pack({});
    await store().provide(label, callContext());
    expect(await readdir(folder.join('victim'))).toEqual(['machine-id']);
  });

  describe.skipIf(engine === undefined)(
    `from an image${engine === undefined ? ': no Docker engine answers' : ''}`,
    () => {
      const image = `forgejo-runner-test/template-${process.pid}:1`;
      beforeAll(async () => void (await loadTestImages(engine?.address ?? '')));
      afterAll(() => {
        // Most often it is gone already.
        spawnSync('docker', ['image', 'rm', '-f', image], { stdio: 'ignore' });
      });

      it('runs jobs on what is in the image', async () => {
        const templates = { img: { image: 'forgejo-runner-test/debian:1' } };
        const { backend, create } = await openLxc(folder.join('lxc'), { config: { templates } });
        const environment = await create('on-image', {}, 'x:lxc://img');
        expect((await sh(environment, 'node --version; hostname')).stdout).toBe(`${process.version}\non-image\n`);
        expect((await environment.remove(callContext())).leaked).toEqual([]);
        await backend[Symbol.asyncDispose]();
        // Nothing was left in the engine.
        expect(
          docker('ps', '-aq', '--filter', 'ancestor=forgejo-runner-test/debian:1', '--filter', 'status=created'),
        ).toBe('');
      });

      it('uses an old one once more where it cannot be made again, and says so', async () => {
        docker('import', folder.join('rootfs.tar'), image);
        const first = await store({ image }).provide(label, callContext());
        docker('image', 'rm', image);
        now += 200 * hourMs;
        const ctx = callContext();
        expect(await store({ image }).provide(label, ctx)).toEqual(first);
        expect(ctx.logged).toMatchObject([
          { level: 'warn', message: 'an old template is used once more, because it cannot be made again' },
        ]);
        await expect(store({ image: `${image}-missing` }).provide(label, callContext())).rejects.toMatchObject({
          code: 'unavailable',
          message: expect.stringContaining('cannot make the template test: docker says "') as string,
        });
      });
    },
  );
});
