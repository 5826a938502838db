/**
 * Prints what a JavaScript action costs: a job of 30 steps that use a local one, over starting the same script by `node`
 * 30 times. Without the path of a runner it builds one.
 *
 *     node --conditions=@forgejo-runner/source bench/node-action.ts [runner.mjs]
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const steps = 30;
const rounds = 5;
const folder = mkdtempSync(join(tmpdir(), 'bench-node-action-'));
const action = join(folder, 'repository', 'act');
try {
  const runner = process.argv[2] === undefined ? buildRunner() : resolve(process.argv[2]);
  mkdirSync(action, { recursive: true });
  writeFileSync(join(action, 'action.yml'), 'name: act\nruns: {using: node24, main: index.js}\n');
  writeFileSync(join(action, 'index.js'), "console.log('hello ' + process.env['INPUT_WHO']);\n");
  const one = workflow('one.yml', 1);
  const many = workflow('many.yml', steps);
  const ratios: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    // Interleaved, so that a busy machine slows both; the run of one step takes start and end out of the count.
    const bare = time(() => {
      for (let step = 1; step < steps; step += 1) run('node', [join(action, 'index.js')]);
    });
    const start = time(() => exec(runner, one));
    const whole = time(() => exec(runner, many));
    const [perAction, perNode] = [(whole - start) / (steps - 1), bare / (steps - 1)];
    ratios.push(perAction / perNode);
    console.log(
      `action ${perAction.toFixed(1)} ms, bare node ${perNode.toFixed(1)} ms, start and end ${start.toFixed(0)} ms`,
    );
  }
  console.log(`an action costs ${median(ratios).toFixed(2)} times a bare node (median of ${rounds})`);
} finally {
  rmSync(folder, { recursive: true });
}

function buildRunner(): string {
  const output = join(folder, 'forgejo-runner.mjs');
  const builder = fileURLToPath(new URL('../packages/builder/bin/forgejo-runner-build.mjs', import.meta.url));
  run(process.execPath, ['--conditions=@forgejo-runner/source', builder, '--output', output]);
  return output;
}

function workflow(name: string, count: number): string {
  const file = join(folder, 'repository', name);
  const list = Array.from({ length: count }, () => '      - {uses: ./act, with: {who: you}}').join('\n');
  writeFileSync(file, `on: push\njobs:\n  bench:\n    runs-on: here\n    steps:\n${list}\n`);
  return file;
}

function exec(runner: string, file: string): void {
  run(process.execPath, [runner, 'exec', '-W', file, '-C', join(folder, 'repository'), '-P', 'here=host']);
}

function run(command: string, args: readonly string[]): void {
  const ended = spawnSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' });
  if (ended.status !== 0) throw new Error(`${command} ended with ${ended.status}: ${ended.stderr}`);
}

function time(work: () => void): number {
  const from = performance.now();
  work();
  return performance.now() - from;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
