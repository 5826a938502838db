import * as ast from '@actions/expressions/ast';
import { ExpressionError as LibraryError } from '@actions/expressions/errors';
import { Lexer, type Token, TokenType } from '@actions/expressions/lexer';
import { Parser } from '@actions/expressions/parser';
import { quoted } from '../user-error.ts';
import type { Place } from '../workflow/yaml-node.ts';
import type { CompareOperator, Expression, ExpressionNode } from './expression.ts';
import { ExpressionError } from './expression-error.ts';
import { arityProblem, builtInFunctions } from './functions.ts';

/** GitHub's limit for the text of one expression. */
const limitChars = 21_000;
/** GitHub's limit of nesting; the library counts brackets, calls and members, we count all of the tree. */
const limitDepth = 50;

/** A token of the library that knows its offset: the library loses count of columns in texts over several lines. */
interface PlacedToken extends Token {
  readonly offset: number;
}

/**
 * Reads the text of an expression, without `${{` and `}}`. Names of contexts and functions are not checked here: which
 * there are depends on where the expression stands. The arguments of built-in functions are counted.
 *
 * @throws {ExpressionError} with the place by `placeAt`, or in a file "expression" where none is given.
 */
export function parseExpression(text: string, placeAt: (offset: number) => Place = ownPlace): Expression {
  const fail = (offset: number, reason: string, cause?: unknown): never => {
    throw new ExpressionError({ expression: text.trim(), at: placeAt(offset), reason, cause });
  };
  if (text.length > limitChars) fail(0, `expected at most ${limitChars} characters, found ${text.length}`);
  const firstChar = text.search(/\S/);
  if (firstChar === -1) fail(0, 'expected an expression, found nothing');
  const tokens = lex(text, fail);
  refuseLongRuns(tokens, fail);
  const names = tokens.filter(({ type }) => type === TokenType.IDENTIFIER).map(({ lexeme }) => lexeme);
  const functions = names.map((name) => ({ name, minArgs: 0, maxArgs: Number.POSITIVE_INFINITY }));
  let tree: ast.Expr;
  try {
    tree = new Parser(tokens, names, functions).parse();
  } catch (error) {
    if (!(error instanceof LibraryError)) throw error;
    return fail(...explain(error, tokens), error);
  }
  return { text, placeAt, root: new TreeBuilder(fail).build(tree, 0) };
}

function ownPlace(offset: number): Place {
  return { file: 'expression', line: 1, column: offset + 1 };
}

type Fail = (offset: number, reason: string, cause?: unknown) => never;

function lex(text: string, fail: Fail): readonly PlacedToken[] & Token[] {
  let tokens: Token[];
  try {
    ({ tokens } = new Lexer(text).lex());
  } catch (error) {
    const position = /Located at position (\d+) within/.exec(error instanceof Error ? error.message : '')?.[1];
    const offset = Number(position ?? 1) - 1;
    return fail(offset, explainSymbol(text, offset), error);
  }
  let end = 0;
  return tokens.map((token, index) => {
    const offset = token.type === TokenType.EOF ? text.trimEnd().length : text.indexOf(token.lexeme, end);
    end = offset + token.lexeme.length;
    const lexeme = isFunctionName(tokens, index) ? mark(token.lexeme) : token.lexeme;
    // The library un-escapes only the first '' of a text.
    const value = token.type === TokenType.STRING ? token.lexeme.slice(1, -1).replaceAll("''", "'") : token.value;
    return { ...token, lexeme, offset, ...(value === undefined ? {} : { value }) };
  });
}

function isFunctionName(tokens: readonly Token[], index: number): boolean {
  return (
    tokens[index]?.type === TokenType.IDENTIFIER &&
    tokens[index + 1]?.type === TokenType.LEFT_PAREN &&
    tokens[index - 1]?.type !== TokenType.DOT
  );
}

/** Keeps the library from looking a function up in its own table, where `constructor` is found as well. */
function mark(name: string): string {
  return `@${name}`;
}

function explainSymbol(text: string, offset: number): string {
  const first = text.charAt(offset);
  if (first === "'") return "expected a closing ', found the end";
  if (first === '"') return 'expected single quotes around a text, found double quotes';
  if ('=&|'.includes(first)) return `expected ${quoted(first + first)}, found ${quoted(first)}`;
  const found = /^[^\s,()[\]]+/.exec(text.slice(offset))?.[0] ?? first;
  return `expected a name, a value or an operator, found ${quoted(found)}`;
}

/** What the library accepts although it should not, or what it would follow without end. */
function refuseLongRuns(tokens: readonly PlacedToken[], fail: Fail): void {
  let bangs = 0;
  for (const [index, { type, offset }] of tokens.entries()) {
    bangs = type === TokenType.BANG ? bangs + 1 : 0;
    if (bangs > limitDepth) fail(offset, `expected at most ${limitDepth} times "!", found more`);
    const next = tokens[index + 1];
    if (type === TokenType.COMMA && next?.type === TokenType.RIGHT_PAREN) {
      fail(next.offset, 'expected another argument after ",", found ")"');
    }
  }
}

/** Where the library's parser stopped, and what it should have found there. Its error keeps kind and token private. */
function explain(error: LibraryError, tokens: readonly PlacedToken[]): [offset: number, reason: string] {
  // An error about the end names the token before it.
  const isEnd = error.message.startsWith('Unexpected end');
  const index = isEnd ? tokens.length - 1 : tokens.findIndex((token) => token.range.start === error.pos);
  const token = tokens[index];
  const offset = token?.offset ?? 0;
  if (error.message.startsWith('Exceeded')) {
    return [offset, `expected at most ${limitDepth} levels of nesting, found more`];
  }
  const found = token === undefined || token.type === TokenType.EOF ? 'the end' : quoted(unmark(token.lexeme));
  return [offset, `expected ${expectedAt(tokens, index)}, found ${found}`];
}

function unmark(lexeme: string): string {
  return lexeme.startsWith('@') ? lexeme.slice(1) : lexeme;
}

const operandEnds: ReadonlySet<TokenType> = new Set([
  TokenType.IDENTIFIER,
  TokenType.NUMBER,
  TokenType.STRING,
  TokenType.TRUE,
  TokenType.FALSE,
  TokenType.NULL,
  TokenType.RIGHT_PAREN,
  TokenType.RIGHT_BRACKET,
  TokenType.STAR,
]);

function expectedAt(tokens: readonly PlacedToken[], index: number): string {
  const before = tokens[index - 1];
  if (before?.type === TokenType.DOT) return 'a name or "*" after "."';
  if (before === undefined || !operandEnds.has(before.type)) return 'a value';
  const open: string[] = [];
  for (const { type } of tokens.slice(0, index)) {
    if (type === TokenType.LEFT_PAREN) open.push(')');
    else if (type === TokenType.LEFT_BRACKET) open.push(']');
    else if (type === TokenType.RIGHT_PAREN || type === TokenType.RIGHT_BRACKET) open.pop();
  }
  const closing = open.at(-1);
  return closing === undefined ? 'an operator or the end' : `an operator or ${quoted(closing)}`;
}

/** Turns the library's tree into ours. */
class TreeBuilder {
  readonly #fail: Fail;

  constructor(fail: Fail) {
    this.#fail = fail;
  }

  build(node: ast.Expr, depth: number): ExpressionNode {
    if (node instanceof ast.Grouping) return this.build(node.group, depth);
    if (node instanceof ast.Literal) {
      return { kind: 'literal', value: literalValue(node), offset: offsetOf(node.token) };
    }
    if (node instanceof ast.ContextAccess) {
      return { kind: 'context', name: node.name.lexeme.toLowerCase(), offset: offsetOf(node.name) };
    }
    if (node instanceof ast.FunctionCall) return this.#call(node, depth);
    if (node instanceof ast.IndexAccess) return this.#index(node, depth);
    if (node instanceof ast.Logical) {
      const kind = node.operator.type === TokenType.AND ? 'and' : 'or';
      return { kind, operands: this.#all(node.args, depth, node.operator), offset: offsetOf(node.operator) };
    }
    if (node instanceof ast.Unary) {
      const [operand] = this.#all([node.expr], depth, node.operator);
      if (operand !== undefined) return { kind: 'not', operand, offset: offsetOf(node.operator) };
    }
    if (node instanceof ast.Binary) {
      const [left, right] = this.#all([node.left, node.right], depth, node.operator);
      if (left !== undefined && right !== undefined) {
        // The parser makes a Binary of these six operators only.
        const operator = node.operator.lexeme as CompareOperator;
        return { kind: 'compare', operator, left, right, offset: offsetOf(node.operator) };
      }
    }
    return this.#fail(0, 'expected an expression, found something else');
  }

  #all(nodes: readonly ast.Expr[], depth: number, at: Token): readonly ExpressionNode[] {
    // Chains such as a == b == c nest to the left without any bracket that the library would count.
    if (depth >= limitDepth) this.#fail(offsetOf(at), `expected at most ${limitDepth} levels of nesting, found more`);
    return nodes.map((node) => this.build(node, depth + 1));
  }

  #call(node: ast.FunctionCall, depth: number): ExpressionNode {
    const name = unmark(node.functionName.lexeme);
    const offset = offsetOf(node.functionName);
    const known = builtInFunctions.get(name.toLowerCase());
    const problem = known === undefined ? undefined : arityProblem(name, known, node.args.length);
    if (problem !== undefined) this.#fail(offset, problem);
    return { kind: 'call', name, args: this.#all(node.args, depth, node.functionName), offset };
  }

  #index(node: ast.IndexAccess, depth: number): ExpressionNode {
    const target = this.build(node.expr, depth + 1);
    if (node.index instanceof ast.Star) return { kind: 'star', target, offset: target.offset };
    return { kind: 'index', target, index: this.build(node.index, depth + 1), offset: target.offset };
  }
}

function offsetOf(token: Token): number {
  return 'offset' in token && typeof token.offset === 'number' ? token.offset : 0;
}

function literalValue({ literal }: ast.Literal): null | boolean | number | string {
  return 'value' in literal && !Array.isArray(literal.value) ? literal.value : null;
}
