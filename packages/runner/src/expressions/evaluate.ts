import { didYouMean } from '../workflow/read-shape.ts';
import { quoted } from '../user-error.ts';
import type { CompareOperator, Expression, ExpressionNode } from './expression.ts';
import { ExpressionError } from './expression-error.ts';
import { arityProblem, builtInFunctions, functionSpellings, OutputRoom } from './functions.ts';
import type { Scope, ScopeFunction } from './scope.ts';
import {
  compare,
  equals,
  findProperty,
  isTruthy,
  isComposite,
  isValueList,
  isValueMap,
  toNumber,
  toText,
  type Value,
} from './values.ts';

/**
 * The value of an expression where `scope` says what it can see. Asynchronous because functions such as `hashFiles`
 * have to look into the environment of the job.
 *
 * @throws {ExpressionError} for an unknown context or function, and for what a function refuses.
 */
export async function evaluate(expression: Expression, scope: Scope): Promise<Value> {
  return new Evaluation(expression, scope).evaluate(expression.root);
}

/** One evaluation of one expression. */
class Evaluation {
  readonly #expression: Expression;
  readonly #scope: Scope;
  readonly #room = new OutputRoom();
  /** Lists that came out of `.*`: a further member or index goes into each of their items. */
  readonly #filtered = new WeakSet<readonly Value[]>();

  constructor(expression: Expression, scope: Scope) {
    this.#expression = expression;
    this.#scope = scope;
  }

  async evaluate(node: ExpressionNode): Promise<Value> {
    switch (node.kind) {
      case 'literal':
        return node.value;
      case 'context':
        return this.#context(node.name, node.offset);
      case 'index':
        return this.#index(await this.evaluate(node.target), await this.evaluate(node.index));
      case 'star':
        return this.#star(await this.evaluate(node.target));
      case 'not':
        return !isTruthy(await this.evaluate(node.operand));
      case 'and':
      case 'or':
        return this.#logical(node.operands, node.kind === 'or');
      case 'compare':
        return compareBy(node.operator, await this.evaluate(node.left), await this.evaluate(node.right));
      default:
        return this.#call(node.name, node.args, node.offset);
    }
  }

  #context(name: string, offset: number): Value {
    const value = this.#scope.contexts.get(name);
    if (value !== undefined) return value;
    const known = [...this.#scope.contexts.keys()].toSorted();
    const list = known.length === 0 ? 'none' : known.join(', ');
    const message = `expected one of the contexts that can be used here (${list}), found ${quoted(name)}`;
    return this.#fail(offset, `${message}${didYouMean(name, known)}`);
  }

  /** `&&` and `||` give one of their operands, not a boolean. */
  async #logical(operands: readonly ExpressionNode[], stopAt: boolean): Promise<Value> {
    let value: Value = null;
    for (const operand of operands) {
      value = await this.evaluate(operand);
      if (isTruthy(value) === stopAt) break;
    }
    return value;
  }

  #index(target: Value, index: Value): Value {
    if (!isValueList(target) || !this.#filtered.has(target)) return memberOf(target, index) ?? null;
    const members: Value[] = [];
    for (const item of target) {
      const member = memberOf(item, index);
      if (member !== undefined) members.push(member);
    }
    return this.#filter(members);
  }

  #star(target: Value): Value {
    if (!isValueList(target) || !this.#filtered.has(target)) return this.#filter([...itemsOf(target)]);
    const items: Value[] = [];
    for (const item of target) for (const inner of itemsOf(item)) items.push(inner);
    return this.#filter(items);
  }

  #filter(items: readonly Value[]): readonly Value[] {
    this.#filtered.add(items);
    return items;
  }

  async #call(name: string, args: readonly ExpressionNode[], offset: number): Promise<Value> {
    const lower = name.toLowerCase();
    const builtIn = builtInFunctions.get(lower);
    const given = this.#scope.functions.get(lower);
    try {
      if (builtIn !== undefined)
        return await builtIn.call(
          args.map((arg) => () => this.evaluate(arg)),
          this.#room,
        );
      if (given !== undefined) return await this.#callGiven(name, given, args);
    } catch (error) {
      if (error instanceof ExpressionError) throw error;
      return this.#fail(offset, error instanceof Error ? error.message : String(error), error);
    }
    const known = functionSpellings(this.#scope.functions.keys());
    return this.#fail(
      offset,
      `expected a function that can be used here, found ${quoted(name)}${didYouMean(name, known)}`,
    );
  }

  async #callGiven(name: string, given: ScopeFunction, args: readonly ExpressionNode[]): Promise<Value> {
    const problem = arityProblem(name, given, args.length);
    if (problem !== undefined) throw new Error(problem);
    const values: Value[] = [];
    for (const arg of args) values.push(await this.evaluate(arg));
    return given.call(values);
  }

  #fail(offset: number, reason: string, cause?: unknown): never {
    const { text, placeAt } = this.#expression;
    throw new ExpressionError({ expression: text.trim(), at: placeAt(offset), reason, cause });
  }
}

/** A member of an object by name, or of a list by number; undefined where there is none. */
function memberOf(target: Value, index: Value): Value | undefined {
  if (isValueMap(target)) {
    return isComposite(index) ? undefined : findProperty(target, toText(index));
  }
  if (!isValueList(target)) return undefined;
  const position = Math.floor(toNumber(index));
  return position >= 0 ? target[position] : undefined;
}

function itemsOf(target: Value): Iterable<Value> {
  if (isValueMap(target)) return target.values();
  return isValueList(target) ? target : [];
}

function compareBy(operator: CompareOperator, left: Value, right: Value): boolean {
  switch (operator) {
    case '==':
      return equals(left, right);
    case '!=':
      return !equals(left, right);
    case '<':
      return compare(left, right) < 0;
    case '<=':
      return compare(left, right) < 0 || equals(left, right);
    case '>':
      return compare(left, right) > 0;
    default:
      return compare(left, right) > 0 || equals(left, right);
  }
}
