// The builder, warm: rebuild to a JavaScript file, to an executable, to an image, and the dev loop from an edit to its first line.
// Then what each of the results weighs, and how it starts.
// node --conditions=@forgejo-runner/source bench/builder.ts   (builds packages/builder first: npm run build)
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 7);
const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'bench-builder-'));
const bin = join(root, 'packages/builder/bin/forgejo-runner-build.mjs');
const backend = join(folder, 'backend');
const env = { ...process.env, FORGEJO_RUNNER_BUILD_CACHE: join(folder, 'cache') };
let edits = 0;

try {
  cpSync(join(root, 'packages/builder/test/fixtures/typescript'), backend, { recursive: true });
  if (!existsSync(join(root, 'packages/builder/dist')))
    console.log('packages/builder is not built: the builder runs from its sources');
  const scenarios: readonly (readonly [string, () => Promise<number>])[] = [
    ['node -e 0', () => toEnd(['-e', '0'])],
    ['nothing to do', () => toEnd([bin, '--output', join(folder, 'runner.mjs')])],
    ['warm rebuild to JavaScript', () => toEnd([bin, '--force', '--output', join(folder, 'runner.mjs')])],
    [
      'same, one line of a local backend edited',
      () => edited(() => toEnd([bin, '--with', backend, '--output', join(folder, 'edited.mjs')])),
    ],
    ['warm rebuild to an executable', () => toEnd([bin, '--force', '--sea', '--output', join(folder, 'runner')])],
    [
      'same, and an image of it',
      () => toEnd([bin, '--force', '--image', join(folder, 'image.tar'), '--output', join(folder, 'in-image')]),
    ],
    ['start of the JavaScript file', () => toEnd([join(folder, 'runner.mjs'), 'list-backends'])],
    ['start of the executable', () => toEnd(['list-backends'], join(folder, 'runner'))],
    [
      'dev loop, from an edit to the first line',
      () => edited(() => toFirstLine([bin, 'run', '--with', backend, '--', 'list-backends'])),
    ],
  ];
  for (const [, run] of scenarios) await run();
  const times = scenarios.map((): number[] => []);
  // Interleaved, so that a busy machine slows all of them.
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, [, run]] of scenarios.entries()) times[index]?.push(await run());
  }
  const [bare = 1] = times.map(median);
  for (const [index, [title]] of scenarios.entries()) {
    const ms = median(times[index] ?? []);
    console.log(`${title}: ${ms.toFixed(0)} ms, ${(ms / bare).toFixed(1)} times node -e 0 (median of ${rounds})`);
  }
  for (const name of ['runner.mjs', 'runner', 'image.tar']) {
    console.log(`${name}: ${(statSync(join(folder, name)).size / 1e6).toFixed(1)} MB`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function edited(run: () => Promise<number>): Promise<number> {
  edits += 1;
  writeFileSync(join(backend, 'src/description.ts'), `export const description: string = 'edit ${edits}';\n`);
  return run();
}

async function toEnd(args: readonly string[], program = process.execPath): Promise<number> {
  const start = performance.now();
  const child = started(args, program);
  await succeeded(child);
  return performance.now() - start;
}

async function toFirstLine(args: readonly string[]): Promise<number> {
  const start = performance.now();
  const child = started(args);
  const ended = succeeded(child);
  await once(child.stdout ?? child, 'data');
  const ms = performance.now() - start;
  await ended;
  return ms;
}

function started(args: readonly string[], program = process.execPath): ChildProcess {
  const child = spawn(program, [...args], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout?.resume();
  return child;
}

async function succeeded(child: ChildProcess): Promise<void> {
  let errors = '';
  child.stderr?.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`expected exit code 0, found ${code}: ${errors}`);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
