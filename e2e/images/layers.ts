import { createHash } from 'node:crypto';
import { chmod, cp, mkdir, mkdtemp, open, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { arch, homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { runProgram } from '../run-program.ts';

/** One layer of an image: a tar on disk, and the digest by which images name it. */
export interface Layer {
  readonly file: string;
  readonly digest: string;
}

/** What jobs expect of a machine: the rest of the usual small tools is in every Debian. */
const debianPackages = ['ca-certificates', 'git', 'libatomic1', 'libstdc++6', 'procps', 'python3-minimal'];
const notInImages = ['usr/share/doc', 'usr/share/locale', 'usr/share/man', 'var/lib/apt/lists', 'var/cache/apt'];
const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'forgejo-runner-toolkit', 'images');

/** The Debian of this machine, without its programs; made once by debootstrap, which takes about a minute. */
export async function debianLayer(): Promise<Layer> {
  const release = await ownRelease();
  const key = `debian-${release}-${arch()}-${hash(JSON.stringify([debianPackages, notInImages]))}`;
  return cached(key, async (work, file) => {
    const root = join(work, 'root');
    const include = `--include=${debianPackages.join(',')}`;
    await run(['debootstrap', '--variant=minbase', include, release, root, await mirrorOf(release)], asRoot);
    for (const folder of notInImages) await run(['rm', '-rf', join(root, folder)], asRoot);
    // Devices are the engine's to make; podman without root could not unpack them.
    await run(['tar', '--sort=name', '--numeric-owner', '--exclude=./dev/*', '-C', root, '-cf', file, '.'], asRoot);
    await run(['rm', '-rf', root], asRoot);
  });
}

/** The Node that runs this, and Python by the name that workflows call. */
export function programsLayer(): Promise<Layer> {
  return cached(`programs-${process.version}-${arch()}`, async (work, file) => {
    const bin = join(work, 'root', 'usr', 'local', 'bin');
    await mkdir(bin, { recursive: true });
    await cp(process.execPath, join(bin, 'node'));
    await symlink('/usr/bin/python3', join(bin, 'python'));
    await pack(join(work, 'root'), file, ['.']);
  });
}

/** Both layers as one archive: a root file system for whoever takes no layers. */
export async function debianSystem(): Promise<Layer> {
  const layers = [await debianLayer(), await programsLayer()];
  return cached(`system-${hash(layers.map(({ digest }) => digest).join(' '))}`, async (_work, file) => {
    await run(['cp', layers[0]?.file ?? '', file]);
    // Adds the members of the second to the first, in place.
    for (const layer of layers.slice(1)) await run(['tar', '--concatenate', '-f', file, layer.file]);
  });
}

/** A file or link of a {@link smallLayer}. */
export interface Entry {
  readonly text?: string;
  readonly copyOf?: string;
  readonly bytes?: Uint8Array;
  readonly linkTo?: string;
  readonly mode?: number;
}

/** A layer of a few files that belong to root, and of `/home/runner` where it is asked for. */
export async function smallLayer(entries: Readonly<Record<string, Entry>>): Promise<Layer> {
  return cached(`small-${await entriesHash(entries)}`, async (work, file) => {
    const root = join(work, 'root');
    for (const [name, entry] of Object.entries(entries)) await put(join(root, name), entry);
    await mkdir(join(root, 'tmp'));
    await chmod(join(root, 'tmp'), 0o1777);
    await pack(root, file, ['.']);
    const home = join(work, 'home-of-user');
    await mkdir(join(home, 'home', 'runner'), { recursive: true });
    await run(['tar', '-C', home, '--owner=1000', '--group=1000', '--mtime=@0', '-rf', file, 'home/runner']);
  });
}

/** The statically linked busybox of this machine. @throws Error that names the package where there is none. */
export async function findBusybox(): Promise<string> {
  for (const file of ['/usr/bin/busybox', '/bin/busybox']) {
    const isThere = await stat(file).then(
      (found) => found.isFile(),
      () => false,
    );
    // ldd fails for a program that needs no libraries.
    if (isThere && (await runProgram(['ldd', file], surroundings)).code !== 0) return file;
  }
  throw new Error('expected a static busybox, found none; next: install the Debian package busybox-static');
}

/** Names of the small tools that busybox stands for. */
export async function busyboxTools(busybox: string): Promise<readonly string[]> {
  const { stdout } = await runProgram([busybox, '--list'], surroundings);
  return stdout.split('\n').filter((name) => /^[a-z0-9_[-]+$/.test(name));
}

async function put(file: string, { text, copyOf, bytes, linkTo, mode }: Entry): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  if (linkTo !== undefined) return symlink(linkTo, file);
  if (copyOf !== undefined) await cp(copyOf, file, { dereference: true });
  else await writeFile(file, bytes ?? text ?? '');
  await chmod(file, mode ?? 0o644);
}

async function entriesHash(entries: Readonly<Record<string, Entry>>): Promise<string> {
  const described = Object.entries(entries).map(async ([name, { bytes, copyOf, ...rest }]) => [
    name,
    rest,
    bytes === undefined ? '' : hash(bytes),
    copyOf === undefined ? '' : hash(await readFile(copyOf)),
  ]);
  return hash(JSON.stringify(await Promise.all(described)));
}

async function pack(root: string, file: string, names: readonly string[]): Promise<void> {
  const same = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--mtime=@0'];
  await run(['tar', '-C', root, ...same, '-cf', file, ...names]);
}

/** Makes a layer unless it is there; a half-made one is never found, and two who make the same do no harm. */
async function cached(key: string, make: (work: string, file: string) => Promise<void>): Promise<Layer> {
  const file = join(cache, `${key}.tar`);
  const digestFile = join(cache, `${key}.sha256`);
  const known = await readFile(digestFile, 'utf8').catch(() => undefined);
  if (known !== undefined) return { file, digest: known };
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(tmpdir(), 'forgejo-runner-images-'));
  try {
    const made = join(await mkdtemp(join(cache, 'new-')), 'layer.tar');
    await make(work, made);
    const digest = await digestOf(made);
    await rename(made, file);
    await writeFile(`${made}.sha256`, digest);
    await rename(`${made}.sha256`, digestFile);
    await rm(dirname(made), { recursive: true });
    return { file, digest };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function digestOf(file: string): Promise<string> {
  await using opened = await open(file);
  const sum = createHash('sha256');
  await pipeline(opened.createReadStream({ highWaterMark: 1024 * 1024 }), sum);
  return sum.digest('hex');
}

async function ownRelease(): Promise<string> {
  const release = /^VERSION_CODENAME=(\w+)$/m.exec(await readFile('/etc/os-release', 'utf8'))?.[1];
  if (release === undefined) throw new Error('expected a Debian release in /etc/os-release, found none');
  return release;
}

/** A mirror of Debian that answers here. */
export async function debianMirror(): Promise<string> {
  return mirrorOf(await ownRelease());
}

/** Where apt of this machine has its packages from. */
async function mirrorOf(release: string): Promise<string> {
  for (const isSecondTry of [false, true]) {
    if (isSecondTry) await run(['apt-get', 'update', '-qq'], asRoot);
    const format = ['--format', '$(REPO_URI) $(RELEASE) $(COMPONENT)', 'Created-By: Packages'];
    const { stdout } = await runProgram(['apt-get', 'indextargets', ...format], surroundings);
    for (const line of stdout.split('\n')) {
      const [address, suite, component] = line.split(' ');
      if (address !== undefined && suite === release && component === 'main') return address;
    }
  }
  throw new Error(`expected apt to know a mirror of ${release}, found none`);
}

const surroundings = {
  cwd: '/',
  env: { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`, LANG: 'C.UTF-8', DEBIAN_FRONTEND: 'noninteractive' },
};
const asRoot = process.getuid?.() === 0 ? [] : ['sudo', '-n'];

async function run(command: readonly string[], before: readonly string[] = []): Promise<void> {
  const [program = '', ...args] = [...before, ...command];
  const { code, stdout, stderr } = await runProgram([program, ...args], surroundings);
  if (code !== 0)
    throw new Error(`${program} ${args.join(' ')} ended with ${code}: ${`${stdout}${stderr}`.slice(-2000)}`);
}

function hash(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex').slice(0, 16);
}
