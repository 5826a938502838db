import { expect, it, test } from 'vitest';
import type { YamlScalar } from '../workflow/yaml-node.ts';
import { evaluateCondition } from './condition.ts';
import type { Scope, ScopeFunction } from './scope.ts';
import type { Value } from './values.ts';

function answer(value: boolean): ScopeFunction {
  return { minArguments: 0, maxArguments: 0, call: () => value };
}

function scopeAfter(status: 'success' | 'failure' | 'cancelled'): Scope {
  return {
    contexts: new Map<string, Value>([['github', new Map([['ref', 'success()']])]]),
    functions: new Map([
      ['success', answer(status === 'success')],
      ['failure', answer(status === 'failure')],
      ['cancelled', answer(status === 'cancelled')],
      ['always', answer(true)],
    ]),
  };
}

function scalar(value: YamlScalar['value']): YamlScalar {
  return { kind: 'scalar', value, source: String(value), at: { file: 'w.yml', line: 1, column: 5 } };
}

type Row = [condition: YamlScalar['value'] | undefined, afterSuccess: boolean, afterFailure: boolean];

test.each<Row>([
  [undefined, true, false],
  [null, true, false],
  ['', true, false],
  ['  ', true, false],
  [true, true, false],
  [false, false, false],
  [0, false, false],
  [1, true, false],
  ['true', true, false],
  ["github.ref == 'success()'", true, false],
  ["github.ref == 'x'", false, false],
  ['success()', true, false],
  ['failure()', false, true],
  ['always()', true, true],
  ['ALWAYS()', true, true],
  ['cancelled()', false, false],
  ['!cancelled()', true, true],
  ['success() || failure()', true, true],
  ["failure() && github.ref == 'x'", false, false],
  ["contains(format('{0}', always()), 'true')", true, true],
  ["github.ref != 'always()'", true, false],
  ["github['always()']", false, false],
  ['${{ true }}', true, false],
  ['${{ always() }}', true, true],
  ['  ${{ failure() }}\n', false, true],
  ['${{ false }}\n', false, false],
  ['!${{ true }}', true, false],
  ['${{ false }} && true', true, false],
  ['${{ always() }} && false', true, true],
  ["${{ '' }}${{ '' }}", false, false],
  ["${{ failure() }}${{ 'x' }}", true, true],
])('%j gives %s after success and %s after failure', async (condition, afterSuccess, afterFailure) => {
  const node = condition === undefined ? undefined : scalar(condition);
  expect(await evaluateCondition(node, scopeAfter('success'))).toBe(afterSuccess);
  expect(await evaluateCondition(node, scopeAfter('failure'))).toBe(afterFailure);
});

test.each<Row>([
  [undefined, true, true],
  ['', true, true],
  ["github.ref == 'success()'", true, true],
  ['success()', true, false],
  ['failure()', false, true],
  [false, false, false],
])('alone, %j gives %s after success and %s after failure', async (condition, afterSuccess, afterFailure) => {
  const node = condition === undefined ? undefined : scalar(condition);
  expect(await evaluateCondition(node, scopeAfter('success'), 'none')).toBe(afterSuccess);
  expect(await evaluateCondition(node, scopeAfter('failure'), 'none')).toBe(afterFailure);
});

it('knows when a run was cancelled', async () => {
  expect(await evaluateCondition(scalar('cancelled()'), scopeAfter('cancelled'))).toBe(true);
  expect(await evaluateCondition(scalar('always()'), scopeAfter('cancelled'))).toBe(true);
  expect(await evaluateCondition(undefined, scopeAfter('cancelled'))).toBe(false);
});

test.each<[condition: string, message: string]>([
  ['success() &&', 'w.yml:1:17: expression "success() &&": expected a value, found the end'],
  [
    'steps.a',
    'w.yml:1:5: expression "steps.a": expected one of the contexts that can be used here (github), found "steps"',
  ],
  ['${{ steps.a }}', 'w.yml:1:9: expression "steps.a": expected one of the contexts'],
])('says where %j is wrong', async (condition, message) => {
  await expect(evaluateCondition(scalar(condition), scopeAfter('success'))).rejects.toThrow(message);
});

it('does not look at a condition that cannot matter any more', async () => {
  expect(await evaluateCondition(scalar('steps.a'), scopeAfter('failure'))).toBe(false);
});
