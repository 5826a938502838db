import { quoted } from '../user-error.ts';
import type { Place } from '../workflow/yaml-node.ts';

/** An expression that cannot be read or evaluated. Its message has the place, the expression and the reason. */
export class ExpressionError extends Error {
  override readonly name: string = 'ExpressionError';
  /** The text between `${{` and `}}`. */
  readonly expression: string;
  /** The spot inside the document, as exactly as the scalar's style lets one tell. */
  readonly at: Place;
  /** "expected …, found …". Holds no value that the expression met, so no secret. */
  readonly reason: string;

  constructor(details: {
    readonly expression: string;
    readonly at: Place;
    readonly reason: string;
    readonly cause?: unknown;
  }) {
    const { expression, at, reason, cause } = details;
    super(
      `${at.file}:${at.line}:${at.column}: expression ${quoted(expression)}: ${reason}`,
      cause === undefined ? undefined : { cause },
    );
    this.expression = expression;
    this.at = at;
    this.reason = reason;
  }
}
