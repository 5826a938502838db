import { expect, it } from 'vitest';
import { type Engine, findEngine } from '../engines.ts';
import { askEngine } from './engine-api.ts';
import { loadTestImages } from './load-images.ts';
import { testImages } from './test-images.ts';

const names: readonly Engine['name'][] = ['docker', 'podman', 'rootless podman'];

it.for(names)('makes the test images and loads them into %s, once', async (name, { skip }) => {
  const engine = (await findEngine(name)) ?? skip(`${name} does not answer`);
  await loadTestImages(engine.address);
  expect(await loadTestImages(engine.address)).toEqual([]);
  for (const image of await testImages()) {
    const { text } = await askEngine(engine.address, { path: `/images/${image.name}/json` });
    expect(JSON.parse(text)).toMatchObject({ Architecture: image.architecture, Config: { Cmd: image.config.Cmd } });
  }
});

it('loads an image again whose content is another one', async ({ skip }) => {
  const engine = (await findEngine('docker')) ?? skip('docker does not answer');
  await loadTestImages(engine.address);
  const name = 'forgejo-runner-test/quits';
  const other = 'forgejo-runner-test/unhealthy:1';
  const tagged = { method: 'POST', path: `/images/${other}/tag?repo=${encodeURIComponent(name)}&tag=1` } as const;
  expect((await askEngine(engine.address, tagged)).status).toBe(201);
  expect(await loadTestImages(engine.address)).toEqual([`${name}:1`]);
});
