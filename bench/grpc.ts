// What the wire costs: the host backend behind gRPC over a socket, in a process of its own, over the same backend in this process.
// node --conditions=@forgejo-runner/source bench/grpc.ts
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { factory as grpc } from '@forgejo-runner/backend-grpc';
import { factory as host } from '@forgejo-runner/backend-host';
import { type Backend, type BackendFactory, type ExecutionEnvironment, parseLabel } from '@forgejo-runner/core';
import { packTar } from '@forgejo-runner/kit';
import { callContext } from '@forgejo-runner/testkit';

const mib = 1024 * 1024;
const rounds = 5;
const owner = { runner: 'bench', boot: 'bench' };
const folder = mkdtempSync(join(tmpdir(), 'bench-grpc-'));
const address = `unix://${join(folder, 'plugin.sock')}`;
const program = fileURLToPath(new URL('../packages/backend-grpc/test/serve-process.ts', import.meta.url));
const served = join(folder, 'served');
mkdirSync(served);
const options = { address, config: { workdir_parent: served }, stateDir: folder };
const plugin = spawn(process.execPath, ['--conditions=@forgejo-runner/source', program, JSON.stringify(options)], {
  stdio: ['pipe', 'pipe', 'inherit'],
});
try {
  await once(plugin.stdout, 'data');
  await using near = await open(host, { workdir_parent: join(folder, 'own') });
  await using far = await open(grpc, { address });
  await using nearPlace = await create(near, 'near');
  await using farPlace = await create(far, 'far');
  const file = join(folder, 'file');
  writeFileSync(file, '');
  truncateSync(file, 64 * mib);
  await compare('exec output, MB/s', (place) => output(place, 256));
  await compare('copy in, MB/s', (place) => copyIn(place, file));
  await compare('copy out, MB/s', (place) => copyOut(place, file));
  await compare('exec of true, ms', latency);
  for (const [name, backend] of [
    ['in this process', near],
    ['behind gRPC', far],
  ] as const) {
    const began = performance.now();
    const places = await Promise.all(Array.from({ length: 50 }, (_, at) => create(backend, `many-${at}`)));
    await Promise.all(places.map((place) => output(place, 1)));
    await Promise.all(places.map((place) => place.remove(callContext())));
    console.log(`50 environments at once, ${name}: ${(performance.now() - began).toFixed(0)} ms`);
  }

  async function compare(what: string, measure: (place: ExecutionEnvironment) => Promise<number>): Promise<void> {
    const found: { readonly near: number; readonly far: number }[] = [];
    // Interleaved, so that a busy machine slows both.
    for (let round = 0; round < rounds; round += 1) {
      found.push({ near: await measure(nearPlace), far: await measure(farPlace) });
    }
    const [one, other] = [median(found.map((each) => each.near)), median(found.map((each) => each.far))];
    const ratio = median(found.map((each) => each.far / each.near));
    console.log(
      `${what}: ${one.toFixed(1)} in this process, ${other.toFixed(1)} behind gRPC, ratio ${ratio.toFixed(2)}`,
    );
  }
} finally {
  plugin.kill();
  await once(plugin, 'exit');
  rmSync(folder, { recursive: true });
}

async function open(factory: BackendFactory, section: object): Promise<Backend> {
  const read = await factory.configSchema['~standard'].validate(section);
  if (read.issues !== undefined) throw new Error(JSON.stringify(read.issues));
  return factory.create(
    { config: read.value, owner, stateDir: folder, apiVersion: '1.0.0', addMask: () => {} },
    callContext(),
  );
}

async function create(backend: Backend, name: string): Promise<ExecutionEnvironment> {
  return backend.createEnvironment(
    {
      name,
      task: { id: '1', attempt: 1, repository: 'o/r', workflow: 'w', job: 'j' },
      owner,
      label: await backend.resolveLabel(parseLabel(`bench:${backend.id}`), callContext()),
      plan: { services: [], stepContainers: 'none' },
      expiresAt: Date.now() + 3_600_000,
    },
    callContext(),
  );
}

async function run({ target, info }: ExecutionEnvironment, ...argv: readonly [string, ...string[]]): Promise<number> {
  let bytes = 0;
  const sink = (chunk: Uint8Array): void => void (bytes += chunk.length);
  const env = { PATH: '/usr/bin:/bin' };
  await target?.exec({ argv, env, cwd: info.paths.workspace, stdout: sink, stderr: sink }, callContext()).result;
  return bytes;
}

async function output(place: ExecutionEnvironment, count: number): Promise<number> {
  const began = performance.now();
  const bytes = await run(place, 'head', '-c', String(count * mib), '/dev/zero');
  if (bytes !== count * mib) throw new Error(`expected ${count} MiB, found ${bytes} bytes`);
  return bytes / 1000 / (performance.now() - began);
}

async function latency(place: ExecutionEnvironment): Promise<number> {
  const began = performance.now();
  for (let round = 0; round < 50; round += 1) await run(place, 'true');
  return (performance.now() - began) / 50;
}

async function copyIn({ target, info }: ExecutionEnvironment, file: string): Promise<number> {
  const began = performance.now();
  const tar = packTar({ src: file }, new AbortController().signal);
  await target?.copyIn({ dest: info.paths.workspace, tar }, callContext());
  return (64 * mib) / 1000 / (performance.now() - began);
}

async function copyOut({ target, info }: ExecutionEnvironment, file: string): Promise<number> {
  const began = performance.now();
  let bytes = 0;
  const src = join(info.paths.workspace, file.slice(folder.length + 1));
  for await (const chunk of target?.copyOut({ src }, callContext()) ?? []) bytes += chunk.length;
  return bytes / 1000 / (performance.now() - began);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}
