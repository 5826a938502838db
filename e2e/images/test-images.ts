import { readFile } from 'node:fs/promises';
import { busyboxTools, debianLayer, type Entry, findBusybox, type Layer, programsLayer, smallLayer } from './layers.ts';

/** What an image says about itself, in the words of the image format. */
interface ImageConfig {
  readonly Env?: readonly string[];
  readonly User?: string;
  readonly Cmd?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly WorkingDir?: string;
  readonly ExposedPorts?: Readonly<Record<string, object>>;
  readonly Healthcheck?: { readonly Test: readonly string[]; readonly Interval: number; readonly Retries: number };
}

/** An image for tests: its layers and what it says about itself. */
export interface TestImage {
  readonly name: string;
  readonly architecture: 'amd64' | 'arm64';
  readonly layers: readonly Layer[];
  readonly config: ImageConfig;
}

const prefix = 'forgejo-runner-test/';
const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const native = process.arch === 'arm64' ? 'arm64' : 'amd64';

/**
 * The images that workflow cases and tests of whole runners name:
 *
 * - `debian`: bash, git, python, node and the usual tools, as root.
 * - `small`: busybox and nothing else, so `sh` but no bash.
 * - `non-root`: the same as the user `runner`, with variables of its own.
 * - `entrypoint`: the same behind an ENTRYPOINT that prints what it was given.
 * - `program`: one static program, no shell: `/echo`.
 * - `foreign`: made for another kind of processor.
 * - `late`: a web server on 8080 that is healthy after two seconds.
 * - `unhealthy`: runs and says why it is not well.
 * - `quits`: says why and ends with 3.
 */
export async function testImages(): Promise<readonly TestImage[]> {
  const busybox = await findBusybox();
  const tools = await smallLayer(await toolEntries(busybox));
  const image = (name: string, layers: readonly Layer[], config: ImageConfig): TestImage => ({
    name: `${prefix}${name}:1`,
    architecture: native,
    layers,
    config: { Env: [path], ...config },
  });
  const entry = await smallLayer({ 'bin/entry': { text: entryScript, mode: 0o755 } });
  return [
    image('debian', [await debianLayer(), await programsLayer()], { Cmd: ['bash'] }),
    image('small', [tools], { Cmd: ['sh'] }),
    image('non-root', [tools], {
      User: 'runner',
      Env: [path, 'FROM_IMAGE=set by the image', 'HOME=/home/runner'],
      WorkingDir: '/home/runner',
      Cmd: ['sh'],
    }),
    image('entrypoint', [tools, entry], { Entrypoint: ['/bin/entry'], Cmd: ['from', 'image'] }),
    image('program', [await smallLayer({ echo: { copyOf: busybox, mode: 0o755 } })], { Cmd: ['/echo', 'ran'] }),
    { ...image('foreign', [await foreignLayer(busybox)], { Cmd: ['/bin/sh'] }), architecture: foreign() },
    ...serviceImages(tools, image),
  ];
}

function serviceImages(
  tools: Layer,
  image: (name: string, layers: readonly Layer[], config: ImageConfig) => TestImage,
): readonly TestImage[] {
  return [
    image('late', [tools], {
      Cmd: shell(
        'mkdir -p /www && echo "${GREETING:-hello}" >/www/index.html; (sleep 2; touch /tmp/ready) & echo serving; exec httpd -f -p 8080 -h /www',
      ),
      ExposedPorts: { '8080/tcp': {} },
      Healthcheck: { ...check('test -e /tmp/ready'), Retries: 30 },
    }),
    image('unhealthy', [tools], {
      Cmd: shell('echo "starting the database"; exec sleep 600'),
      Healthcheck: check('echo "the disk is on fire"; exit 1'),
    }),
    image('quits', [tools], { Cmd: shell('echo "no configuration found"; exit 3') }),
  ];
}

function shell(script: string): readonly string[] {
  return ['sh', '-c', script];
}

/** Every second: engines count in nanoseconds. */
function check(script: string): NonNullable<ImageConfig['Healthcheck']> {
  return { Test: ['CMD-SHELL', script], Interval: 1_000_000_000, Retries: 2 };
}

const entryScript = '#!/bin/sh\necho "entrypoint got: $*"\nexec "$@"\n';
const passwd = 'root:x:0:0:root:/root:/bin/sh\nrunner:x:1000:1000:runner:/home/runner:/bin/sh\n';

async function toolEntries(busybox: string): Promise<Readonly<Record<string, Entry>>> {
  const links = (await busyboxTools(busybox)).map((tool): [string, Entry] => [`bin/${tool}`, { linkTo: 'busybox' }]);
  return {
    ...Object.fromEntries(links),
    'bin/busybox': { copyOf: busybox, mode: 0o755 },
    'etc/passwd': { text: passwd },
    'etc/group': { text: 'root:x:0:\nrunner:x:1000:\n' },
    'root/.keep': {},
  };
}

function foreign(): 'amd64' | 'arm64' {
  return native === 'amd64' ? 'arm64' : 'amd64';
}

/** A shell whose header says that it is for another processor: no engine without emulation can start it. */
async function foreignLayer(busybox: string): Promise<Layer> {
  const bytes = await readFile(busybox);
  // ELF, e_machine: 62 is x86-64, 183 is AArch64.
  bytes.writeUInt16LE(foreign() === 'arm64' ? 183 : 62, 18);
  return smallLayer({ 'bin/sh': { bytes, mode: 0o755 }, 'bin/busybox': { bytes, mode: 0o755 } });
}
