// What the Docker backend costs over the engine's own floor: exec, the way to the first step, output, files, 20 jobs at once.
// node --conditions=@forgejo-runner/source bench/docker.ts; needs dockerd and its client at /var/run/docker.sock.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Target } from '@forgejo-runner/core';
import { callContext } from '@forgejo-runner/testkit';
import { inventory, makeImage, openBench } from '../packages/backend-docker/test/docker-fixture.ts';

const socketPath = '/var/run/docker.sock';
const mebibyte = 1024 * 1024;
const image = makeImage('jobs');
const bench = await openBench(image);
const folder = mkdtempSync(join(tmpdir(), 'bench-docker-'));
try {
  await firstStep();
  {
    await using environment = await bench.create();
    if (environment.target === undefined) throw new Error('expected a target, found none');
    await execs(environment.target, environment.id);
    await output(environment.target, environment.id);
    await files(environment.target, environment.id);
  }
  await jobsAtOnce();
} finally {
  await bench.backend[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
}

/** `true` in a container, by the backend and by the two calls that the engine needs for it. */
async function execs(target: Target, container: string): Promise<void> {
  const ours: number[] = [];
  const floor: number[] = [];
  for (let round = 0; round < 30; round += 1) {
    floor.push(await timed(() => rawExec(container, ['/bin/true'])));
    ours.push(await timed(() => run(target, ['/bin/true'])));
  }
  print('exec of true', [median(ours), 'ms'], ['raw calls', median(floor)]);
}

/** From the start of a job to its first process, against the engine's own client with the same image. */
async function firstStep(): Promise<void> {
  const ours: number[] = [];
  const floor: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    floor.push(await timed(async () => docker('run', '--rm', image, '/bin/true')));
    const from = performance.now();
    const environment = await bench.create();
    await run(environment.target, ['/bin/true']);
    ours.push(performance.now() - from);
    await environment.remove(callContext());
  }
  print('first step', [median(ours), 'ms'], ['docker run', median(floor)]);
}

/** 256 MiB from a process to a sink, against the engine's own client. */
async function output(target: Target, container: string): Promise<void> {
  const argv = ['/bin/dd', 'if=/dev/zero', 'bs=65536', 'count=4096'];
  const floor = await timed(async () => {
    const child = spawn('docker', ['-H', `unix://${socketPath}`, 'exec', container, ...argv], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    child.stdout.resume();
    await once(child, 'close');
  });
  const ours = await timed(() => run(target, argv));
  print('output', [rate(256, ours), 'MiB/s'], ['docker exec', rate(256, floor)]);
}

/** 256 MiB in and out, against `docker cp`. */
async function files(target: Target, container: string): Promise<void> {
  const file = join(folder, 'big');
  writeFileSync(file, Buffer.alloc(256 * mebibyte, 'content'));
  const cpIn = await timed(async () => docker('cp', file, `${container}:/tmp/cp`));
  const copyIn = await timed(async () => {
    const tar = spawn('tar', ['-C', folder, '-c', 'big'], { stdio: ['ignore', 'pipe', 'inherit'] });
    // A stream without an encoding gives bytes.
    await target.copyIn({ dest: '/tmp/ours', tar: tar.stdout as AsyncIterable<Uint8Array> }, callContext());
  });
  print('copy in', [rate(256, copyIn), 'MiB/s'], ['docker cp', rate(256, cpIn)]);
  const cpOut = await timed(async () => docker('cp', `${container}:/tmp/cp`, join(folder, 'out')));
  const copyOut = await timed(async () => {
    const tar = spawn('tar', ['-C', folder, '-x'], { stdio: ['pipe', 'ignore', 'inherit'] });
    await pipeline(target.copyOut({ src: '/tmp/ours/big' }, callContext()), tar.stdin);
    if (tar.exitCode === null) await once(tar, 'close');
  });
  print('copy out', [rate(256, copyOut), 'MiB/s'], ['docker cp', rate(256, cpOut)]);
}

/** 20 jobs at the same time, two rounds: what is left of them, in the engine and in memory. */
async function jobsAtOnce(): Promise<void> {
  const memory: number[] = [];
  const times: number[] = [];
  for (let round = 0; round < 2; round += 1) {
    times.push(
      await timed(async () => {
        const ended = await Promise.allSettled(Array.from({ length: 20 }, oneJob));
        for (const one of ended) if (one.status === 'rejected') throw one.reason;
      }),
    );
    memory.push(process.memoryUsage().rss / mebibyte);
  }
  const seconds = (median(times) / 1000).toFixed(1);
  const left = inventory(bench.owner.runner).length;
  console.log(
    `20 jobs at once  ${seconds} s, ${left} objects left, memory after each round ${memory.map((mib) => mib.toFixed(0)).join(', ')} MiB`,
  );
}

async function oneJob(): Promise<void> {
  await using environment = await bench.create();
  await run(environment.target, ['/bin/echo', 'hello']);
}

function drop(): void {}

async function run(target: Target | undefined, argv: readonly string[]): Promise<void> {
  const [program = '', ...rest] = argv;
  const exec = { argv: [program, ...rest] as const, env: target?.baseEnv ?? {}, cwd: '/', stdout: drop };
  const ended = await target?.exec({ ...exec, stderr: drop }, callContext()).result;
  if (ended?.kind !== 'exited' || ended.code !== 0) throw new Error(`${program}: ${JSON.stringify(ended)}`);
}

/** The least that an engine has to be asked: make a process, start it and read it to its end, look at its code. */
async function rawExec(container: string, argv: readonly string[]): Promise<void> {
  const body = { Cmd: argv, AttachStdout: true, AttachStderr: true };
  const { Id: id } = JSON.parse(await ask('POST', `/containers/${container}/exec`, body)) as { readonly Id: string };
  await ask('POST', `/exec/${id}/start`, { Detach: false, Tty: false });
  await ask('GET', `/exec/${id}/json`);
}

async function ask(method: string, path: string, body?: object): Promise<string> {
  const asking = request({ socketPath, method, path, headers: { 'content-type': 'application/json' } });
  asking.end(body === undefined ? undefined : JSON.stringify(body));
  const [answer] = (await once(asking, 'response')) as [AsyncIterable<Buffer>];
  let text = '';
  for await (const chunk of answer) text += chunk.toString();
  return text;
}

function docker(...args: readonly string[]): void {
  execFileSync('docker', ['-H', `unix://${socketPath}`, ...args], { stdio: 'pipe' });
}

async function timed(work: () => Promise<void>): Promise<number> {
  const from = performance.now();
  await work();
  return performance.now() - from;
}

function rate(mib: number, ms: number): number {
  return mib / (ms / 1000);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function print(
  what: string,
  [value, unit]: readonly [number, string],
  [floor, floorValue]: readonly [string, number],
): void {
  const ratio = (value / floorValue).toFixed(2);
  console.log(
    `${what.padEnd(15)}  ${value.toFixed(0)} ${unit}, ${floor} ${floorValue.toFixed(0)} ${unit}, ratio ${ratio}`,
  );
}
