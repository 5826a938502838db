import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { gzipSync } from 'node:zlib';
import { eventually, openTempFolder } from '@forgejo-runner/testkit';
import { pack } from 'tar-stream';

/** A registry of a test's own, without an engine in between. */
export interface TestRegistry extends AsyncDisposable {
  /** As names of images begin: `127.0.0.1:5000`. */
  readonly host: string;
  /** File with the certificate, where it has one. */
  readonly certificate: string;
  /** Puts an image into it; several platforms make a list. */
  readonly put: (name: string, image: TestImage) => Promise<void>;
  /** What engines asked for since the last call, such as `GET /v2/app/manifests/1 200`. */
  readonly asked: () => readonly string[];
  /** Ends it, and leaves the address to nobody. */
  readonly stop: () => Promise<void>;
}

export interface TestImage {
  /** The same content is the same image. */
  readonly content: string;
  readonly platforms?: readonly string[];
  /** More files, by path. */
  readonly files?: Readonly<Record<string, Uint8Array>>;
}

export interface RegistryOptions {
  /** Nothing is handed out without it. */
  readonly login?: RegistryLogin;
  /** Speaks TLS, with a certificate that nobody trusts who was not told to. */
  readonly hasTls?: boolean;
}

export interface RegistryLogin {
  readonly username: string;
  readonly password: string;
}

/** Starts Debian's registry. */
export async function startRegistry({ login, hasTls = false }: RegistryOptions = {}): Promise<TestRegistry> {
  const folder = await openTempFolder();
  const port = await freePort();
  const host = `127.0.0.1:${port}`;
  const [certificate, key] = [folder.join('cert.pem'), folder.join('key.pem')];
  if (hasTls) makeCertificate(certificate, key);
  // It listens at one address, so one without TLS stands beside it where images are put.
  const inner = hasTls ? `127.0.0.1:${await freePort()}` : host;
  const configOf = (addr: string, tls: object): string =>
    // JSON is YAML.
    JSON.stringify({
      version: '0.1',
      log: { accesslog: { disabled: false }, level: 'error' },
      storage: { filesystem: { rootdirectory: folder.join('data') }, delete: { enabled: true } },
      http: { addr, ...tls },
      ...(login === undefined ? {} : { auth: { htpasswd: { realm: 'test', path: folder.join('htpasswd') } } }),
    });
  await folder.write({
    'config.yml': configOf(inner, {}),
    'tls.yml': configOf(host, { tls: { certificate, key } }),
    ...(login === undefined ? {} : { htpasswd: hashed(login) }),
  });
  let log = '';
  const children = ['config.yml', ...(hasTls ? ['tls.yml'] : [])].map((file) => {
    const child = spawn('docker-registry', ['serve', folder.join(file)], { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (log += chunk.toString()));
    return child;
  });
  const url = `http://${inner}`;
  const headers =
    login === undefined
      ? {}
      : { authorization: `Basic ${Buffer.from(`${login.username}:${login.password}`).toString('base64')}` };
  await eventually(async () => (await fetch(`${url}/v2/`, { headers })).ok, {
    what: 'the registry',
    timeoutMs: 30_000,
  });
  if (hasTls) await eventually(() => listensAt(port), { what: 'the registry with TLS', timeoutMs: 30_000 });
  let seen = 0;
  const stop = async (): Promise<void> => void (await Promise.all(children.map(end)));
  return {
    host,
    certificate,
    put: (name, image) => put({ url, headers }, name, image),
    asked: () => {
      const lines = [...log.slice(seen).matchAll(/"((?:GET|HEAD) \S+) HTTP\/1\.1" (\d+)/g)].map(
        ([, what = '', status = '']) => `${what} ${status}`,
      );
      seen = log.length;
      return lines;
    },
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop();
      await folder[Symbol.asyncDispose]();
    },
  };
}

function hashed({ username, password }: RegistryLogin): string {
  return execFileSync('htpasswd', ['-Bbn', username, password], { encoding: 'utf8' });
}

function makeCertificate(certificate: string, key: string): void {
  const subject = ['-subj', '/CN=registry', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const files = ['-keyout', key, '-out', certificate];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...subject, ...files], {
    stdio: 'pipe',
  });
}

function listensAt(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  }).then((isThere) => {
    socket.destroy();
    return isThere === true;
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, 'close');
  child.kill('SIGKILL');
  await closed;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => void server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

interface Target {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

const manifestType = 'application/vnd.docker.distribution.manifest.v2+json';
const listType = 'application/vnd.docker.distribution.manifest.list.v2+json';

async function put(target: Target, name: string, image: TestImage): Promise<void> {
  const [repository = '', tag = ''] = name.split(':');
  const layer = await layerOf(image);
  await putBlob(target, repository, layer.gzipped);
  const manifests = [];
  for (const platform of image.platforms ?? ['linux/amd64']) {
    const [os = '', architecture = '', variant] = platform.split('/');
    const config = Buffer.from(
      JSON.stringify({
        os,
        architecture,
        ...(variant === undefined ? {} : { variant }),
        config: { Env: ['PATH=/bin', `CONTENT=${image.content}`], Cmd: ['/bin/sh'] },
        rootfs: { type: 'layers', diff_ids: [digestOf(layer.tar)] },
        history: [{ created_by: image.content }],
      }),
    );
    await putBlob(target, repository, config);
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: manifestType,
        config: {
          mediaType: 'application/vnd.docker.container.image.v1+json',
          size: config.length,
          digest: digestOf(config),
        },
        layers: [
          {
            mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
            size: layer.gzipped.length,
            digest: digestOf(layer.gzipped),
          },
        ],
      }),
    );
    await putManifest(target, { repository, reference: digestOf(manifest), type: manifestType }, manifest);
    manifests.push({
      mediaType: manifestType,
      size: manifest.length,
      digest: digestOf(manifest),
      platform: { os, architecture, ...(variant === undefined ? {} : { variant }) },
    });
  }
  const list = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: listType, manifests }));
  await putManifest(target, { repository, reference: tag, type: listType }, list);
}

async function layerOf({
  content,
  files = {},
}: TestImage): Promise<{ readonly tar: Buffer; readonly gzipped: Buffer }> {
  const archive = pack();
  const mtime = new Date(0);
  archive.entry({ name: 'content.txt', mtime }, content);
  for (const [name, bytes] of Object.entries(files)) archive.entry({ name, mode: 0o755, mtime }, Buffer.from(bytes));
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive as AsyncIterable<Buffer>) chunks.push(chunk);
  const tar = Buffer.concat(chunks);
  return { tar, gzipped: gzipSync(tar) };
}

async function putBlob({ url, headers }: Target, repository: string, blob: Buffer): Promise<void> {
  const started = await fetch(`${url}/v2/${repository}/blobs/uploads/`, { method: 'POST', headers });
  const location = new URL(started.headers.get('location') ?? '', url);
  location.searchParams.set('digest', digestOf(blob));
  const done = await fetch(location, {
    method: 'PUT',
    headers: { ...headers, 'content-type': 'application/octet-stream' },
    body: new Uint8Array(blob),
  });
  if (!done.ok) throw new Error(`the registry took no blob: ${done.status} ${await done.text()}`);
}

async function putManifest(
  { url, headers }: Target,
  { repository, reference, type }: { readonly repository: string; readonly reference: string; readonly type: string },
  manifest: Buffer,
): Promise<void> {
  const body = new Uint8Array(manifest);
  const done = await fetch(`${url}/v2/${repository}/manifests/${reference}`, {
    method: 'PUT',
    headers: { ...headers, 'content-type': type },
    body,
  });
  if (!done.ok) throw new Error(`the registry took no manifest: ${done.status} ${await done.text()}`);
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
