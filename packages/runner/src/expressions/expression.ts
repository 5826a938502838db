import type { Place } from '../workflow/yaml-node.ts';

/** An expression that was read: its text, where each character of it stands, and its tree. */
export interface Expression {
  readonly text: string;
  readonly placeAt: (offset: number) => Place;
  readonly root: ExpressionNode;
}

/** A node of an expression. `offset` counts characters from the start of the expression's text. */
export type ExpressionNode =
  | { readonly kind: 'literal'; readonly value: null | boolean | number | string; readonly offset: number }
  | { readonly kind: 'context'; readonly name: string; readonly offset: number }
  | {
      readonly kind: 'index';
      readonly target: ExpressionNode;
      readonly index: ExpressionNode;
      readonly offset: number;
    }
  /** `.*` and `[*]`. */
  | { readonly kind: 'star'; readonly target: ExpressionNode; readonly offset: number }
  | { readonly kind: 'not'; readonly operand: ExpressionNode; readonly offset: number }
  | { readonly kind: 'and' | 'or'; readonly operands: readonly ExpressionNode[]; readonly offset: number }
  | {
      readonly kind: 'compare';
      readonly operator: CompareOperator;
      readonly left: ExpressionNode;
      readonly right: ExpressionNode;
      readonly offset: number;
    }
  /** `name` as written; functions are looked up in lower case. */
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly ExpressionNode[]; readonly offset: number };

/** The operators that compare two values. */
export type CompareOperator = '==' | '!=' | '<' | '<=' | '>' | '>=';

/** Every node of a tree, outer ones first. */
export function* walkExpression(node: ExpressionNode): Generator<ExpressionNode> {
  yield node;
  for (const child of childrenOf(node)) yield* walkExpression(child);
}

function childrenOf(node: ExpressionNode): readonly ExpressionNode[] {
  switch (node.kind) {
    case 'literal':
    case 'context':
      return [];
    case 'index':
      return [node.target, node.index];
    case 'star':
      return [node.target];
    case 'not':
      return [node.operand];
    case 'and':
    case 'or':
      return node.operands;
    case 'compare':
      return [node.left, node.right];
    default:
      return node.args;
  }
}
