import type { YamlScalar } from '../workflow/yaml-node.ts';
import { evaluate } from './evaluate.ts';
import { type Expression, walkExpression } from './expression.ts';
import { interpolate } from './interpolate.ts';
import { parseExpression } from './parse.ts';
import { placesInScalar } from './place-in-scalar.ts';
import type { Scope } from './scope.ts';
import { parseTemplate } from './template.ts';
import { isTruthy } from './values.ts';

/** The functions that ask how it went so far. A condition with one of them decides for itself. */
export const statusFunctionNames: ReadonlySet<string> = new Set(['success', 'failure', 'cancelled', 'always']);

/** An `if` that was read. */
export interface Condition {
  /** One expression, or undefined for a text that has `${{ }}` beside other text. */
  readonly expression?: Expression;
  /** Whether one of {@link statusFunctionNames} is called. */
  readonly asksStatus: boolean;
}

/**
 * Whether an `if` holds. It may be written with or without `${{ }}`, and white space around them does not count.
 *
 * With `implicit: 'success'`, as for jobs and steps, `success() &&` stands before a condition that calls no status
 * function, and alone where there is none. With `'none'`, as for `pre-if` and `post-if`, the condition stands alone,
 * and where there is none it holds.
 *
 * @throws {ExpressionError} with the place of what is wrong.
 */
export async function evaluateCondition(
  node: YamlScalar | undefined,
  scope: Scope,
  implicit: 'success' | 'none' = 'success',
): Promise<boolean> {
  const isEmpty = node === undefined || node.value === null || String(node.value).trim() === '';
  const condition = isEmpty ? undefined : parseCondition(node);
  if (implicit === 'success' && condition?.asksStatus !== true) {
    if (!isTruthy(await evaluate(parseExpression('success()'), scope))) return false;
  }
  if (isEmpty || condition === undefined) return true;
  if (condition.expression !== undefined) return isTruthy(await evaluate(condition.expression, scope));
  return isTruthy(await interpolate(node, scope));
}

/** Reads an `if` that is not empty. */
export function parseCondition(node: YamlScalar): Condition {
  const text = typeof node.value === 'string' ? node.value : node.source;
  if (!text.includes('${{')) {
    const expression = parseExpression(text, placesInScalar({ ...node, value: text }));
    return { expression, asksStatus: asksStatus(expression) };
  }
  const parts = parseTemplate(node).filter((part) => typeof part !== 'string' || part.trim() !== '');
  const [only] = parts;
  const isAsking = parts.some((part) => typeof part !== 'string' && asksStatus(part));
  if (parts.length !== 1 || only === undefined || typeof only === 'string') return { asksStatus: isAsking };
  return { expression: only, asksStatus: isAsking };
}

function asksStatus(expression: Expression): boolean {
  for (const node of walkExpression(expression.root)) {
    if (node.kind === 'call' && statusFunctionNames.has(node.name.toLowerCase())) return true;
  }
  return false;
}
