import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';

/** The engine of this machine. */
export const engineSocket = '/var/run/docker.sock';

/** A small image with a shell, made here: no registry is asked for it. */
export const testImage = 'forgejo-runner-runner-test/busybox:1';

/** Why tests with an engine cannot run; undefined where they can. In CI there has to be one. */
export async function whyNoEngine(): Promise<string | undefined> {
  try {
    await importImage();
    return undefined;
  } catch (error) {
    if (process.env['CI'] !== undefined) throw error;
    return `no engine at ${engineSocket}, or no static busybox for its image: ${String(error)}`;
  }
}

/** Ids of what the engine has of a runner. */
export async function objectsOf(runner: string): Promise<readonly string[]> {
  const filters = encodeURIComponent(JSON.stringify({ label: [`org.forgejo.runner.runner=${runner}`] }));
  const containers = JSON.parse(await ask('GET', `/containers/json?all=1&filters=${filters}`)) as { Id: string }[];
  const networks = JSON.parse(await ask('GET', `/networks?filters=${filters}`)) as { Id: string }[];
  const { Volumes } = JSON.parse(await ask('GET', `/volumes?filters=${filters}`)) as {
    Volumes: { Name: string }[] | null;
  };
  return [
    ...containers.map(({ Id }) => Id),
    ...networks.map(({ Id }) => Id),
    ...(Volumes ?? []).map(({ Name }) => Name),
  ];
}

/** Removes an image, if it is there. */
export async function removeImages(runner: string): Promise<void> {
  const filters = encodeURIComponent(JSON.stringify({ label: [`org.forgejo.runner.runner=${runner}`] }));
  const images = JSON.parse(await ask('GET', `/images/json?filters=${filters}`)) as { Id: string }[];
  for (const { Id } of images) await ask('DELETE', `/images/${Id}?force=1`);
}

const tools = ['sh', 'cat', 'echo', 'id', 'ls', 'mkdir', 'httpd', 'wget', 'sleep', 'true', 'false', 'chmod', 'touch'];

async function importImage(): Promise<void> {
  const archive = pack();
  archive.entry({ name: 'bin/busybox', mode: 0o755 }, await readFile('/bin/busybox'));
  for (const tool of tools) archive.entry({ name: `bin/${tool}`, type: 'symlink', linkname: 'busybox' });
  archive.entry({ name: 'tmp', type: 'directory', mode: 0o1777 });
  archive.entry({ name: 'etc/passwd' }, 'root:x:0:0:root:/:/bin/sh\nrunner:x:1000:1000:runner:/tmp:/bin/sh\n');
  archive.finalize();
  const [repo = '', tag = ''] = testImage.split(':');
  const changes = encodeURIComponent('ENV PATH=/bin');
  // A tar stream of tar-stream is one of bytes.
  const body = Readable.from(archive as AsyncIterable<Uint8Array>);
  const answer = await ask('POST', `/images/create?fromSrc=-&repo=${repo}&tag=${tag}&changes=${changes}`, body);
  if (!answer.includes('sha256:')) throw new Error(answer);
}

async function ask(method: string, path: string, body?: Readable): Promise<string> {
  const headers = body === undefined ? {} : { 'content-type': 'application/x-tar' };
  const asked = request({ socketPath: engineSocket, path: `/v1.41${path}`, method, headers });
  const answered = new Promise<string>((resolve, reject) => {
    asked.on('error', reject);
    asked.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve(text));
    });
  });
  if (body === undefined) asked.end();
  else await Promise.all([pipeline(body, asked), answered]);
  return answered;
}
