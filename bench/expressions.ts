/** Prints how many expressions are read and evaluated in a second, and how long a workflow of 500 steps takes to read. */
import { evaluate } from '../packages/runner/src/expressions/evaluate.ts';
import { interpolate } from '../packages/runner/src/expressions/interpolate.ts';
import { parseExpression } from '../packages/runner/src/expressions/parse.ts';
import type { Scope } from '../packages/runner/src/expressions/scope.ts';
import { fromJsonValue, type Value } from '../packages/runner/src/expressions/values.ts';
import { expandMatrix } from '../packages/runner/src/graph/expand-matrix.ts';
import { parseWorkflow } from '../packages/runner/src/workflow/parse-workflow.ts';
import { strictCheckWorkflow } from '../packages/runner/src/workflow/strict-check.ts';
import { parseYaml } from '../packages/runner/src/workflow/yaml-source.ts';

const runMs = 1000;

const github = fromJsonValue({
  ref: 'refs/heads/main',
  event: {
    commits: [
      { id: 'a', message: 'one' },
      { id: 'b', message: 'two' },
    ],
  },
});
const scope: Scope = { contexts: new Map<string, Value>([['github', github]]), functions: new Map() };

/** Calls again and again for a second; gives calls a second. */
async function perSecond(call: () => unknown): Promise<number> {
  const start = performance.now();
  let calls = 0;
  while (performance.now() - start < runMs) {
    for (let index = 0; index < 50; index += 1) await call();
    calls += 50;
  }
  return (calls * 1000) / (performance.now() - start);
}

function print(what: string, value: number, unit: string): void {
  console.log(`${what.padEnd(52)}${Math.round(value).toLocaleString('en').padStart(12)} ${unit}`);
}

const texts = {
  short: "github.ref == 'refs/heads/main'",
  long: "contains(github.event.commits.*.message, 'TWO') && format('{0}-{1}', github.ref, github.event.commits[0].id) || 'none'",
};
for (const [name, text] of Object.entries(texts)) {
  const expression = parseExpression(text);
  print(`evaluate a ${name} expression`, await perSecond(() => evaluate(expression, scope)), 'per second');
  print(
    `read and evaluate a ${name} expression`,
    await perSecond(() => evaluate(parseExpression(text), scope)),
    'per second',
  );
}
const scalar = {
  kind: 'scalar',
  value: 'echo ${{ github.ref }} ${{ github.event.commits[1].id }}',
  source: 'echo ${{ github.ref }} ${{ github.event.commits[1].id }}',
  at: { file: 'w.yml', line: 1, column: 1 },
} as const;
print('interpolate a script with two expressions', await perSecond(() => interpolate(scalar, scope)), 'per second');

const steps = Array.from(
  { length: 500 },
  (_, index) =>
    `      - id: s${index}\n        name: Step ${index} on \${{ github.ref }}\n        if: success() && github.ref != ''\n        env: {A: "\${{ github.sha }}"}\n        run: |\n          echo one\n          echo \${{ github.ref }}\n`,
);
const workflow = `on: push\njobs:\n  build:\n    runs-on: docker\n    steps:\n${steps.join('')}`;
print('read the YAML of a workflow of 500 steps', 1000 / (await perSecond(() => parseYaml(workflow, 'w.yml'))), 'ms');
print('read a workflow of 500 steps', 1000 / (await perSecond(() => parseWorkflow(workflow, 'w.yml'))), 'ms');
print('check a workflow of 500 steps', 1000 / (await perSecond(() => strictCheckWorkflow(workflow, 'w.yml'))), 'ms');
const sixteen = Array.from({ length: 16 }, (_, index) => index);
const matrix = fromJsonValue({ a: sixteen, b: sixteen });
print('expand a matrix of 256 combinations', await perSecond(() => expandMatrix(matrix)), 'per second');
