import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { openTempFolder, type TempFolder } from '@forgejo-runner/testkit';

const builder = fileURLToPath(new URL('../bin/forgejo-runner-build.mjs', import.meta.url));

/** Folder of a fixture package. */
export function fixture(name: string): string {
  return fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));
}

/** Flags of a build of fixtures alone: a runner that does little, and no default backend. */
export const withFixtureRunner: readonly string[] = [
  '--without',
  'host',
  '--replace',
  `@forgejo-runner/runner=${fixture('runner')}`,
];

/** How a command ended. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program with its arguments and surroundings. */
export interface Started {
  readonly file: string;
  readonly args: readonly string[];
  readonly options: { readonly cwd: string; readonly env: Record<string, string> };
}

/** A user's machine: an empty home, a project folder, a cache of its own. */
export interface Workplace extends AsyncDisposable {
  readonly project: TempFolder;
  readonly cacheDir: string;
  /** Runs `forgejo-runner-build` from its sources in the project folder. */
  readonly build: (...args: readonly string[]) => Promise<Ended>;
  /** How it would be started, for a test that wraps it. */
  readonly command: (...args: readonly string[]) => Started;
  /** Starts it without waiting. */
  readonly start: (...args: readonly string[]) => ChildProcess;
  /** What it is started with beside PATH and HOME. */
  readonly env: Record<string, string>;
}

/** Opens a workplace. `npmrc` becomes the project's. A cache may be handed in to share it between tests. */
export async function openWorkplace(options: { npmrc?: string; cacheDir?: string } = {}): Promise<Workplace> {
  const home = await openTempFolder();
  const project = await openTempFolder();
  await writeFile(project.join('package.json'), '{"name":"project","private":true}');
  if (options.npmrc !== undefined) await writeFile(project.join('.npmrc'), options.npmrc);
  const cacheDir = options.cacheDir ?? home.join('cache');
  const env: Record<string, string> = { FORGEJO_RUNNER_BUILD_CACHE: cacheDir };
  const command = (...args: readonly string[]): Started => ({
    file: process.execPath,
    args: ['--conditions=@forgejo-runner/source', builder, ...args],
    options: { cwd: project.path, env: { PATH: process.env['PATH'] ?? '', HOME: home.path, ...env } },
  });
  const start = (...args: readonly string[]): ChildProcess => {
    const { file, args: all, options } = command(...args);
    return spawn(file, [...all], { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  };
  return {
    project,
    cacheDir,
    env,
    command,
    start,
    build: (...args) => untilEnd(start(...args)),
    [Symbol.asyncDispose]: async () => {
      await project[Symbol.asyncDispose]();
      await home[Symbol.asyncDispose]();
    },
  };
}

/** Lets the npm of a workplace ask the registry that this machine's asks, with its cache: for packages that nobody can fake. */
export function useRegistryOfMachine(workplace: Workplace): void {
  workplace.env['HOME'] = homedir();
  for (const [name, value] of Object.entries(process.env)) {
    const isWanted =
      /^(?:npm_config_(?:registry|cafile|userconfig|cache)|NODE_EXTRA_CA_CERTS|(?:https?|no)_proxy)$/i.test(name);
    if (isWanted && value !== undefined) workplace.env[name] = value;
  }
}

/** Waits for a process and its output. */
export async function untilEnd(child: ChildProcess): Promise<Ended> {
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

/** Runs a built runner in an empty environment, in a folder where nothing of it lies. */
export async function runBuilt(file: string, ...args: readonly string[]): Promise<Ended> {
  await using empty = await openTempFolder();
  const isScript = file.endsWith('.mjs');
  const command = isScript ? process.execPath : file;
  return await untilEnd(
    spawn(command, isScript ? [file, ...args] : [...args], {
      cwd: empty.path,
      env: {},
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );
}

/** The ids that a built runner lists. */
export async function listBackends(file: string): Promise<readonly string[]> {
  const { stdout } = await runBuilt(file, 'list-backends', '--json');
  return (JSON.parse(stdout) as { backends: { id: string }[] }).backends.map((backend) => backend.id).toSorted();
}
