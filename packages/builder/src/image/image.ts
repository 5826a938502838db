import { readFile } from 'node:fs/promises';
import type { BuiltDistribution } from '../manifest/distribution.ts';
import type { Target } from '../package/target.ts';
import { UserError } from '../user-error.ts';
import { type Layer, makeLayer, sha256 } from './layer.ts';
import { findLibraries } from './needed-libraries.ts';

/** What an image says about itself. */
export interface ImageNames {
  readonly name: string;
  readonly tag: string;
  /** Of `org.opencontainers.image.…`. */
  readonly labels: Readonly<Record<string, string>>;
}

/** An image of one platform. */
export interface PlatformImage {
  readonly architecture: 'amd64' | 'arm64';
  readonly layers: readonly Layer[];
  /** JSON. */
  readonly config: string;
}

/** What an image is called: as the distribution, at its version. */
export function imageNames(distribution: BuiltDistribution | undefined, runner: string): ImageNames {
  const { name = 'forgejo-runner', version = runner, title = name, vendor, homepage } = distribution ?? {};
  const labels = { title, version, vendor, url: homepage };
  const given = Object.entries(labels).filter((one): one is [string, string] => one[1] !== undefined);
  return {
    name,
    tag: version,
    labels: Object.fromEntries(given.map(([key, value]) => [`org.opencontainers.image.${key}`, value])),
  };
}

// As in the images of the Go runner: one user, one folder.
const user = 1000;
const home = 'data';
const program = 'bin/forgejo-runner';

/** Is an image made of executables of this target? */
export function isImageTarget(target: Target | undefined): target is 'linux-x64' | 'linux-arm64' {
  return target === 'linux-x64' || target === 'linux-arm64';
}

/**
 * An image of nothing but the executable and the libraries that it needs, without a daemon and without a base.
 *
 * @throws UserError `FRB605`
 */
export async function makePlatformImage(
  { target, file }: { readonly target: 'linux-x64' | 'linux-arm64'; readonly file: string },
  names: ImageNames,
): Promise<PlatformImage> {
  const executable = await readFile(file);
  const libraries = await findLibraries(executable, target);
  const layers = await Promise.all([
    makeLayer([
      ...libraries.map(({ place, content }) => ({ kind: 'file' as const, path: place.slice(1), content, mode: 0o755 })),
      { kind: 'folder', path: 'tmp', mode: 0o1777 },
      { kind: 'folder', path: home, mode: 0o755, owner: user },
      text('etc/passwd', `root:x:0:0:root:/:\nrunner:x:${user}:${user}:runner:/${home}:\n`),
      text('etc/group', `root:x:0:\nrunner:x:${user}:\n`),
      text('etc/nsswitch.conf', 'hosts: files dns\n'),
    ]),
    makeLayer([{ kind: 'file', path: program, content: executable, mode: 0o755 }]),
  ]);
  const architecture = target === 'linux-arm64' ? 'arm64' : 'amd64';
  const config = {
    created: '1970-01-01T00:00:00Z',
    architecture,
    os: 'linux',
    config: {
      User: `${user}:${user}`,
      Env: ['PATH=/bin', `HOME=/${home}`],
      Entrypoint: [`/${program}`],
      Cmd: ['daemon'],
      WorkingDir: `/${home}`,
      Labels: names.labels,
      StopSignal: 'SIGTERM',
    },
    rootfs: { type: 'layers', diff_ids: layers.map((one) => `sha256:${one.diffId}`) },
    history: layers.map((_, index) => ({
      created: '1970-01-01T00:00:00Z',
      created_by: `forgejo-runner-build: ${index === 0 ? 'libraries' : 'runner'}`,
    })),
  };
  return { architecture, layers, config: JSON.stringify(config) };
}

function text(path: string, content: string): { kind: 'file'; path: string; content: Buffer; mode: number } {
  return { kind: 'file', path, content: Buffer.from(content), mode: 0o644 };
}

function media(kind: string): string {
  return `application/vnd.oci.image.${kind}`;
}

/** The files of an OCI layout that is a docker-archive as well: old engines read `manifest.json`, others `index.json`. */
export function layoutFiles(images: readonly PlatformImage[], names: ImageNames): ReadonlyMap<string, Buffer> {
  const [first] = images;
  if (first === undefined) {
    throw new UserError('FRB605', 'an image is made for Linux, and no target of this build is', {
      next: 'add one: --target linux-x64',
    });
  }
  const blobs = new Map<string, Buffer>();
  const add = (content: Buffer | string): { readonly digest: string; readonly size: number } => {
    const bytes = Buffer.from(content);
    blobs.set(`blobs/sha256/${sha256(bytes)}`, bytes);
    return { digest: `sha256:${sha256(bytes)}`, size: bytes.length };
  };
  const manifests = images.map(({ layers, config, architecture }) => ({
    mediaType: media('manifest.v1+json'),
    ...add(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: media('manifest.v1+json'),
        config: { mediaType: media('config.v1+json'), ...add(config) },
        layers: layers.map((one) => ({ mediaType: media('layer.v1.tar+gzip'), ...add(one.content) })),
        annotations: names.labels,
      }),
    ),
    platform: { architecture, os: 'linux' },
  }));
  const index = { schemaVersion: 2, mediaType: media('index.v1+json'), manifests };
  // Tools that want one image of a layout take the one entry, whichever platforms are below it.
  const [only] = manifests;
  const entry = images.length === 1 ? only : { mediaType: media('index.v1+json'), ...add(JSON.stringify(index)) };
  const whole = `${names.name}:${names.tag}`;
  // podman takes its name from the first, containerd from the second.
  const annotations = {
    'org.opencontainers.image.ref.name': whole,
    'io.containerd.image.name': names.name.includes('/') ? whole : `docker.io/library/${whole}`,
  };
  const archive = images.map(({ config, layers, architecture }, position) => ({
    Config: `blobs/sha256/${sha256(config)}`,
    RepoTags: [
      ...(position === 0 ? [`${names.name}:${names.tag}`] : []),
      ...(images.length === 1 ? [] : [`${names.name}:${names.tag}-${architecture}`]),
    ],
    Layers: layers.map((one) => `blobs/sha256/${one.digest}`),
  }));
  const sorted = [...blobs].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return new Map([
    ['oci-layout', Buffer.from(JSON.stringify({ imageLayoutVersion: '1.0.0' }))],
    [
      'index.json',
      Buffer.from(
        JSON.stringify({ schemaVersion: 2, mediaType: media('index.v1+json'), manifests: [{ ...entry, annotations }] }),
      ),
    ],
    ['manifest.json', Buffer.from(JSON.stringify(archive))],
    ...sorted,
  ]);
}
