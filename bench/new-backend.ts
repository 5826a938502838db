// How long an author waits between the idea of a backend and a green run of the conformance suite: `create backend`, then
// `npm install` with an empty npm cache, as on a fresh machine, then `npm test`. Needs built packages and a registry.
import { fileURLToPath } from 'node:url';
import { openTempFolder } from '@forgejo-runner/testkit';
import { runProgram } from '../e2e/run-program.ts';
import { takeFromTarballs } from '../e2e/take-from-tarballs.ts';

const builder = fileURLToPath(new URL('../packages/builder/bin/forgejo-runner-build.mjs', import.meta.url));

await using work = await openTempFolder('forgejo-runner-bench-');
const { CI: _lane, ...inherited } = process.env;
const env = { ...inherited, npm_config_cache: work.join('npm-cache') } as Record<string, string>;

async function timed(what: string, command: readonly [string, ...string[]], cwd: string): Promise<number> {
  const start = performance.now();
  const { code, stdout, stderr } = await runProgram(command, { cwd, env });
  const seconds = (performance.now() - start) / 1000;
  if (code !== 0) throw new Error(`${what}: exit code ${code}:\n${stderr}${stdout}`);
  console.log(`${what.padEnd(34)} ${seconds.toFixed(1).padStart(7)} s`);
  return seconds;
}

const command = [process.execPath, builder, 'create', 'backend', '@acme/backend-foo'] as const;
const created = await timed('create backend', command, work.path);
const folder = work.join('backend-foo');
await takeFromTarballs(work.join('backend-foo', 'package.json'), work.path);
const installed = await timed('npm install, empty cache', ['npm', 'install', '--no-audit', '--no-fund'], folder);
const tested = await timed('npm test, conformance suite in it', ['npm', 'test'], folder);
console.log(`${'from nothing to green'.padEnd(34)} ${(created + installed + tested).toFixed(1).padStart(7)} s`);
