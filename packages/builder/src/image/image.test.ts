import { expect, it } from 'vitest';
import { UserError } from '../user-error.ts';
import { imageNames, layoutFiles, type PlatformImage } from './image.ts';
import { makeLayer } from './layer.ts';

async function platform(architecture: PlatformImage['architecture']): Promise<PlatformImage> {
  const content = Buffer.from(architecture);
  return {
    architecture,
    config: JSON.stringify({ architecture }),
    layers: [await makeLayer([{ kind: 'file', path: 'bin/forgejo-runner', content, mode: 0o755 }])],
  };
}

const names = imageNames({ name: 'acme-runner', version: '1.2.3' }, '1.0.0');

it('has one index for several platforms, and a tag for each of them in engines that know no index', async () => {
  const files = layoutFiles([await platform('amd64'), await platform('arm64')], names);
  const json = (file: string): unknown => JSON.parse(files.get(file)?.toString() ?? '');
  const { manifests } = json('index.json') as { manifests: readonly { mediaType: string; digest: string }[] };
  expect(manifests).toMatchObject([{ mediaType: 'application/vnd.oci.image.index.v1+json' }]);
  expect(json(`blobs/${manifests[0]?.digest.replace(':', '/')}`)).toMatchObject({
    manifests: [{ platform: { architecture: 'amd64' } }, { platform: { architecture: 'arm64' } }],
  });
  expect(json('manifest.json')).toMatchObject([
    { RepoTags: ['acme-runner:1.2.3', 'acme-runner:1.2.3-amd64'] },
    { RepoTags: ['acme-runner:1.2.3-arm64'] },
  ]);
});

it('has nothing to make an image of without Linux', () => {
  expect(() => layoutFiles([], names)).toThrow(UserError);
});

it('makes the same layer whatever the order, with the folders above each file', async () => {
  const one = { kind: 'file', path: 'a/b/one', content: Buffer.from('1'), mode: 0o644 } as const;
  const two = { kind: 'folder', path: 'a/tmp', mode: 0o1777 } as const;
  const [first, second] = [await makeLayer([one, two]), await makeLayer([two, one])];
  expect(first.digest).toBe(second.digest);
  expect(first.diffId).not.toBe(first.digest);
});
