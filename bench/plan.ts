/**
 * Prints what it takes from the text of a workflow to planned jobs: a job of 500 steps and a matrix of 256 jobs, each
 * stage over reading the bare YAML by the `yaml` package.
 *
 *     node --conditions=@forgejo-runner/source bench/plan.ts
 */
import { parse } from 'yaml';
import { evaluateTree } from '../packages/runner/src/expressions/interpolate.ts';
import { fromJsonValue, type ValueMap } from '../packages/runner/src/expressions/values.ts';
import { expandMatrix } from '../packages/runner/src/graph/expand-matrix.ts';
import { noOptions } from '../packages/runner/src/plan/option-fields.ts';
import { jobScope, planJob } from '../packages/runner/src/plan/plan-job.ts';
import type { LabelLookup, ServedLabel } from '../packages/runner/src/plan/planned-job.ts';
import type { Task } from '../packages/runner/src/task/task.ts';
import { parseWorkflow } from '../packages/runner/src/workflow/parse-workflow.ts';
import { strictCheckWorkflow } from '../packages/runner/src/workflow/strict-check.ts';
import { callContext, referenceBackend } from '../packages/testkit/src/index.ts';

const rounds = 15;
const policy = { defaults: noOptions, granted: [], privileged: false, validVolumes: [], forcePull: false };

const steps = Array.from(
  { length: 500 },
  (_, index) => `      - id: s${index}
        name: Step ${index} on \${{ github.ref }}
        if: success() && github.ref != ''
        env: {A: "\${{ github.sha }}", B: plain}
        run: |
          echo one
          echo \${{ github.ref }}
`,
);
const sixteen = Array.from({ length: 16 }, (_, index) => index).join(', ');
const texts: Readonly<Record<string, string>> = {
  '500 steps': `on: push\njobs:\n  build:\n    runs-on: here\n    steps:\n${steps.join('')}`,
  '256 jobs': `on: push
env: {TOP: "\${{ github.ref }}"}
jobs:
  build:
    name: build \${{ matrix.a }} \${{ matrix.b }}
    runs-on: \${{ matrix.a >= 0 && 'here' }}
    timeout-minutes: \${{ 5 }}
    env: {LETTER: "\${{ matrix.a }}-\${{ matrix.b }}"}
    strategy: {matrix: {a: [${sixteen}], b: [${sixteen}]}}
    steps:
${steps.slice(0, 20).join('')}`,
};

const label = await serve();
const labels: LabelLookup = { get: () => label, names: () => ['here'] };
const github: ValueMap = new Map([
  ['ref', 'refs/heads/main'],
  ['sha', 'abc'],
  ['event', fromJsonValue({ a: 1 })],
]);

console.log(`best of ${rounds} rounds; × is against the bare YAML\n`);
for (const [name, text] of Object.entries(texts)) {
  const bare = await bestMs(() => parse(text));
  const workflow = parseWorkflow(text, 'w.yml');
  print(`${name}: bare YAML`, bare, bare);
  print(`${name}: read`, await bestMs(() => parseWorkflow(text, 'w.yml')), bare);
  print(`${name}: check strictly`, await bestMs(() => strictCheckWorkflow(text, 'w.yml')), bare);
  print(`${name}: plan`, await bestMs(() => planAll(workflow)), bare);
}

/** Plans every job of the matrix, as a local run does. */
async function planAll(workflow: ReturnType<typeof parseWorkflow>): Promise<void> {
  const job = workflow.jobs.get('build');
  if (job === undefined) throw new Error('expected the job "build"');
  const task: Task = {
    id: 'build',
    attempt: 1,
    workflow,
    job,
    matrix: new Map(),
    strategy: { failFast: true, maxParallel: 1, jobIndex: 0, jobTotal: 1 },
    github,
    inputs: new Map(),
    secrets: new Map(),
    vars: new Map(),
    needs: new Map(),
    before: [],
  };
  const { matrix } = job.strategy ?? {};
  for (const combination of expandMatrix(matrix && (await evaluateTree(matrix, jobScope(task))))) {
    const planned = await planJob({ ...task, matrix: combination }, { labels, policy, maxTimeoutMs: 3_600_000 });
    if (planned.kind !== 'run') throw new Error('expected a job that runs');
  }
}

async function serve(): Promise<ServedLabel> {
  const { factory } = referenceBackend();
  const ctx = callContext();
  const owner = { runner: 'bench', boot: 'bench' };
  const backend = await factory.create(
    { config: {}, owner, stateDir: '/nowhere', apiVersion: '1.0.0', addMask: () => {} },
    ctx,
  );
  const configuration = { name: 'here', backend: factory.id, options: {}, form: 'string' } as const;
  return { configuration, backend, resolved: await backend.resolveLabel(configuration, ctx) };
}

/** What the machine does beside us only makes it slower. */
async function bestMs(work: () => unknown): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round += 1) {
    const from = performance.now();
    await work();
    best = Math.min(best, performance.now() - from);
  }
  return best;
}

function print(what: string, ms: number, bareMs: number): void {
  console.log(`${what.padEnd(32)}${ms.toFixed(2).padStart(10)} ms ${(ms / bareMs).toFixed(2).padStart(7)} ×`);
}
