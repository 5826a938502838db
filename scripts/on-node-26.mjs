// Runs a script of this repository on the Node version that the repository pins, whatever Node starts this file. On a
// fresh clone it installs first: `npm run demo` and `npm test` must work with nothing but Node 20 and npm.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const [script, ...args] = process.argv.slice(2);
if (script === undefined) {
  console.error('expected the path of a script; next: node scripts/on-node-26.mjs scripts/demo.mjs');
  process.exit(2);
}

if (!isInstalled()) {
  console.log('Installing dependencies (npm ci)…');
  const npm = npmCommand();
  run(npm.command, [...npm.args, 'ci', '--no-audit', '--no-fund', '--loglevel=error'], process.env);
}

const bin = join(root, 'node_modules', '.bin');
const node = join(bin, process.platform === 'win32' ? 'node.cmd' : 'node');
const hasPinnedNode = existsSync(node);
if (!hasPinnedNode && Number(process.versions.node.split('.')[0]) < 24) {
  console.error(
    `expected Node 24.15 or newer on ${process.platform}-${process.arch}, found ${process.versions.node}; next: install a newer Node`,
  );
  process.exit(1);
}
run(hasPinnedNode ? node : process.execPath, [join(root, script), ...args], {
  ...process.env,
  PATH: `${bin}${delimiter}${process.env['PATH'] ?? ''}`,
});

/** The tree is there, and is what the lock file asks for. A checkout changes times, so it is not times that count. */
function isInstalled() {
  const installed = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(installed)) return false;
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  const present = JSON.parse(readFileSync(installed, 'utf8')).packages;
  return Object.entries(wanted).every(
    ([path, entry]) =>
      !path.startsWith('node_modules/') || entry.optional === true || present[path]?.version === entry.version,
  );
}

function npmCommand() {
  const script = process.env['npm_execpath'];
  if (script !== undefined && script.endsWith('.js')) return { command: process.execPath, args: [script] };
  return { command: process.platform === 'win32' ? 'npm.cmd' : 'npm', args: [] };
}

function run(command, args, env) {
  const ended = spawnSync(command, args, {
    cwd: root,
    env,
    stdio: 'inherit',
    shell: process.platform === 'win32' && command.endsWith('.cmd'),
  });
  if (ended.error !== undefined) throw ended.error;
  if (ended.status !== 0) process.exit(ended.status ?? 1);
}
