import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import path from 'node:path';
import { eventually } from './eventually.ts';
import { openTempFolder } from './temp-folder.ts';

/** An npm registry of a test's own. */
export interface LocalRegistry extends AsyncDisposable {
  readonly url: string;
  /** A `.npmrc` that points to it and may publish there: `npm_config_userconfig`, or a copy as a project's `.npmrc`. */
  readonly npmrc: string;
  /** Packs a package folder and publishes it. Scripts of the package do not run. */
  readonly publish: (dir: string) => Promise<void>;
}

/** How the registry is set up. */
export interface LocalRegistryOptions {
  /** Passes requests for packages that nobody published here on to the registry that npm is configured for. */
  readonly uplink?: boolean;
}

/**
 * Starts a real registry (verdaccio, which has to be installed) on a free port of the loopback address. Everybody may
 * publish; nothing of it is left after disposing.
 *
 * ```ts
 * await using registry = await startLocalRegistry();
 * await registry.publish('examples/backend-acme');
 * ```
 */
export async function startLocalRegistry(options: LocalRegistryOptions = {}): Promise<LocalRegistry> {
  const folder = await openTempFolder();
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const npmrc = path.join(folder.path, 'npmrc');
  const uplink = options.uplink === true ? await configuredRegistry() : undefined;
  await mkdir(path.join(folder.path, 'storage'));
  await writeFile(path.join(folder.path, 'config.yaml'), configText(uplink));
  // npm refuses to publish without a login; the registry takes any.
  // What is published here is new, and wanted at once.
  await writeFile(npmrc, `registry=${url}/\n//127.0.0.1:${port}/:_authToken=local-registry-token\nmin-release-age=0\n`);
  const child = startServer(folder.path, port);
  const close = async (): Promise<void> => {
    await stop(child);
    await folder[Symbol.asyncDispose]();
  };
  try {
    await eventually(() => isReady(url, child), { what: 'the local registry to answer', timeoutMs: 30_000 });
  } catch (error) {
    await close();
    throw error;
  }
  return { url, npmrc, publish: (dir) => publish(dir, npmrc, folder.path), [Symbol.asyncDispose]: close };
}

function configText(uplink: string | undefined): string {
  const config = {
    storage: './storage',
    uplinks: uplink === undefined ? {} : { configured: { url: uplink, maxage: '60m', timeout: '30s' } },
    packages: {
      '**': {
        access: '$all',
        publish: '$all',
        unpublish: '$all',
        ...(uplink === undefined ? {} : { proxy: 'configured' }),
      },
    },
    publish: { allow_offline: true },
    max_body_size: '200mb',
    log: { type: 'stdout', format: 'json', level: 'warn' },
  };
  // JSON is YAML.
  return JSON.stringify(config, undefined, 2);
}

function startServer(dir: string, port: number): ChildProcess {
  // Its exports do not name its program.
  const main = createRequire(import.meta.url).resolve('verdaccio');
  const server = path.join(
    main.slice(0, main.lastIndexOf(`${path.sep}verdaccio${path.sep}`)),
    'verdaccio',
    'bin',
    'verdaccio',
  );
  const args = [server, '--config', path.join(dir, 'config.yaml'), '--listen', `127.0.0.1:${port}`];
  // Nothing of the surroundings: variables would change its configuration.
  const env = { PATH: process.env['PATH'] ?? '', HOME: dir };
  return spawn(process.execPath, args, { cwd: dir, env, stdio: 'ignore' });
}

async function isReady(url: string, child: ChildProcess): Promise<boolean> {
  if (child.exitCode !== null) throw new Error(`the local registry ended with ${child.exitCode}`);
  const answer = await fetch(`${url}/-/ping`);
  return answer.ok;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

async function publish(dir: string, npmrc: string, cwd: string): Promise<void> {
  const { version } = JSON.parse(await readFile(path.join(dir, 'package.json'), 'utf8')) as { version: string };
  // npm puts a prerelease under a tag of its own only when told to.
  const tag = version.includes('-') ? ['--tag=next'] : [];
  const args = ['publish', path.resolve(dir), '--ignore-scripts', '--loglevel=error', '--no-provenance', ...tag];
  await runNpm([...args, `--cache=${path.join(cwd, 'npm-cache')}`], cwd, npmrc);
}

async function configuredRegistry(): Promise<string> {
  return (await runNpm(['config', 'get', 'registry'], process.cwd())).trim();
}

async function runNpm(args: readonly string[], cwd: string, npmrc?: string): Promise<string> {
  // Without what an outer `npm run` hands down: it would win over the file.
  const inherited = Object.entries(process.env).filter(([name]) => npmrc === undefined || !/^npm_/i.test(name));
  const env = { ...Object.fromEntries(inherited), ...(npmrc === undefined ? {} : { npm_config_userconfig: npmrc }) };
  const child = spawn('npm', [...args], {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    shell: process.platform === 'win32',
  });
  let output = '';
  let errors = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`expected npm ${args[0]} to succeed, found exit code ${code}: ${errors}`);
  return output;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('expected a port, found none');
  return address.port;
}
