import { createHash } from 'node:crypto';
import { link, mkdir, mkdtemp, rm, writeFile, copyFile } from 'node:fs/promises';
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { askEngine } from './engine-api.ts';
import { type TestImage, testImages } from './test-images.ts';

const mark = 'forgejo-runner-test.content';

/** An image in its final shape: what is hashed to name it. */
interface Described {
  readonly image: TestImage;
  readonly config: string;
  readonly content: string;
}

/**
 * Makes the test images where they are missing and loads those into the engine that it does not have. The first time
 * on a machine takes about a minute, the first time for an engine some seconds, later ones next to nothing.
 */
export async function loadTestImages(
  address: string,
  isWanted: (name: string) => boolean = () => true,
): Promise<readonly string[]> {
  const missing: Described[] = [];
  for (const one of (await testImages()).filter(({ name }) => isWanted(name)).map(describe)) {
    if (!(await isLoaded(address, one))) missing.push(one);
  }
  if (missing.length > 0) await load(address, missing);
  return missing.map(({ image }) => image.name);
}

function describe(image: TestImage): Described {
  const rootfs = { type: 'layers', diff_ids: image.layers.map(({ digest }) => `sha256:${digest}`) };
  const unmarked = { architecture: image.architecture, os: 'linux', created: '2000-01-01T00:00:00Z', rootfs };
  const history = image.layers.map(() => ({ created: unmarked.created, created_by: 'test image' }));
  const content = sha256(JSON.stringify([unmarked, image.config]));
  const config = JSON.stringify({ ...unmarked, history, config: { ...image.config, Labels: { [mark]: content } } });
  return { image, config, content };
}

async function isLoaded(address: string, { image, content }: Described): Promise<boolean> {
  const { status, text } = await askEngine(address, { path: `/images/${image.name}/json` });
  if (status === 404) return false;
  if (status !== 200)
    throw new Error(`expected the engine to know whether it has ${image.name}, found ${status}: ${text}`);
  // The interface has it so since version 1.0.
  const { Config } = JSON.parse(text) as { readonly Config?: { readonly Labels?: Readonly<Record<string, string>> } };
  return Config?.Labels?.[mark] === content;
}

/** Sends an archive such as `docker save` writes: a list, and configurations and layers by their digests. */
async function load(address: string, described: readonly Described[]): Promise<void> {
  const first = described[0]?.image.layers[0];
  if (first === undefined) throw new Error('expected images with layers');
  // Beside the layers, so that they can be linked rather than copied.
  const folder = await mkdtemp(join(dirname(first.file), 'archive-'));
  try {
    const list = [];
    for (const { image, config } of described) {
      const name = `${sha256(config)}.json`;
      await writeFile(join(folder, name), config);
      for (const { file, digest } of image.layers) await put(file, join(folder, digest, 'layer.tar'));
      list.push({
        Config: name,
        RepoTags: [image.name],
        Layers: image.layers.map(({ digest }) => `${digest}/layer.tar`),
      });
    }
    await writeFile(join(folder, 'manifest.json'), JSON.stringify(list));
    // Hard links within the archive would save nothing, and podman does not follow them.
    const packed = spawn('tar', ['-C', folder, '--hard-dereference', '-c', '.'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const { status, text } = await askEngine(address, { method: 'POST', path: '/images/load', body: packed.stdout });
    if (status !== 200 || text.includes('errorDetail')) {
      throw new Error(`expected the engine at ${address} to load images, found ${status}: ${text.slice(-2000)}`);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function put(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await link(from, to).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') await copyFile(from, to);
  });
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

if (import.meta.main) {
  const [address = 'unix:///var/run/docker.sock'] = process.argv.slice(2);
  const loaded = await loadTestImages(address);
  console.log(loaded.length === 0 ? 'All test images are there' : `Loaded ${loaded.join(', ')}`);
}
