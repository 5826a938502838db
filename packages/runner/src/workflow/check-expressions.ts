import { type Availability, availabilityAt, type ExpressionPlace } from '../contexts/availability.ts';
import { parseCondition, statusFunctionNames } from '../expressions/condition.ts';
import { type Expression, type ExpressionNode, walkExpression } from '../expressions/expression.ts';
import { ExpressionError } from '../expressions/expression-error.ts';
import { arityProblem, builtInFunctions, functionSpellings } from '../expressions/functions.ts';
import { parseTemplate } from '../expressions/template.ts';
import { type Problem, quoted } from '../user-error.ts';
import { didYouMean } from './read-shape.ts';
import type { YamlNode, YamlScalar } from './yaml-node.ts';

/** Finds what is wrong with the expressions of a document, without evaluating any. */
export class ExpressionChecker {
  readonly #problems: Problem[];

  constructor(problems: Problem[]) {
    this.#problems = problems;
  }

  /** All expressions in a tree, in its keys as well. */
  tree(node: YamlNode | undefined, place: ExpressionPlace): void {
    if (node === undefined) return;
    if (node.kind === 'scalar') this.#scalar(node, place);
    else if (node.kind === 'sequence') for (const item of node.items) this.tree(item, place);
    else {
      for (const { key, keyAt, value } of node.entries) {
        const isInsert = /^\$\{\{\s*insert\s*\}\}$/.test(key);
        if (!isInsert) this.#scalar({ kind: 'scalar', value: key, source: key, at: keyAt }, place);
        this.tree(value, place);
      }
    }
  }

  /** An `if`, with or without `${{ }}`. */
  condition(node: YamlScalar | undefined, place: ExpressionPlace): void {
    if (node === undefined || String(node.value ?? '').trim() === '') return;
    this.#collect(() => {
      const { expression } = parseCondition(node);
      if (expression !== undefined) return this.#expression(expression, place);
      const message = 'expected "${{ }}" around the whole condition, found text beside it, which makes it true always';
      this.#problems.push({ message, at: node.at });
      return this.#scalar(node, place);
    });
  }

  #scalar(node: YamlScalar, place: ExpressionPlace): void {
    this.#collect(() => {
      for (const part of parseTemplate(node)) if (typeof part !== 'string') this.#expression(part, place);
    });
  }

  #collect(check: () => void): void {
    try {
      check();
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      this.#problems.push({ message: `expression ${quoted(error.expression)}: ${error.reason}`, at: error.at });
    }
  }

  #expression({ root, placeAt, text }: Expression, place: ExpressionPlace): void {
    const available = availabilityAt(place);
    for (const node of walkExpression(root)) {
      const reason = checkNode(node, available);
      if (reason === undefined) continue;
      this.#problems.push({ message: `expression ${quoted(text.trim())}: ${reason}`, at: placeAt(node.offset) });
    }
  }
}

function checkNode(node: ExpressionNode, available: Availability): string | undefined {
  if (node.kind === 'context' && !available.contexts.has(node.name)) {
    const known = [...available.contexts].toSorted();
    const hint = didYouMean(node.name, known);
    return `expected one of the contexts that can be used here (${known.join(', ')}), found ${quoted(node.name)}${hint}`;
  }
  return node.kind === 'call' ? checkCall(node.name, node.args.length, available) : undefined;
}

function checkCall(name: string, found: number, available: Availability): string | undefined {
  const lower = name.toLowerCase();
  // The arguments of those were counted when the expression was read.
  if (builtInFunctions.has(lower)) return undefined;
  if (!available.functions.has(lower)) {
    const hint = didYouMean(name, functionSpellings(available.functions));
    return `expected a function that can be used here, found ${quoted(name)}${hint}`;
  }
  const isStatus = statusFunctionNames.has(lower);
  return arityProblem(name, { minArguments: isStatus ? 0 : 1, maxArguments: isStatus ? 0 : 255 }, found);
}
