import type { YamlScalar } from '../workflow/yaml-node.ts';
import type { Expression } from './expression.ts';
import { ExpressionError } from './expression-error.ts';
import { parseExpression } from './parse.ts';
import { placesInScalar } from './place-in-scalar.ts';

/** A text with `${{ }}` in it: what stands as it is, and expressions, in turn. */
export type TemplatePart = string | Expression;

/**
 * Splits the text of a scalar at its `${{ }}`. A `}}` inside of a quoted text does not end an expression.
 *
 * @throws {ExpressionError} for an expression that is not closed or cannot be read.
 */
export function parseTemplate(node: YamlScalar): readonly TemplatePart[] {
  const text = typeof node.value === 'string' ? node.value : '';
  const places = placesInScalar(node);
  const parts: TemplatePart[] = [];
  let end = 0;
  for (let open = text.indexOf('${{'); open !== -1; open = text.indexOf('${{', end)) {
    if (open > end) parts.push(text.slice(end, open));
    const start = open + 3;
    const close = findClose(text, start);
    if (close === -1) {
      const expression = text.slice(start).trim();
      throw new ExpressionError({ expression, at: places(open), reason: 'expected a closing "}}", found the end' });
    }
    parts.push(parseExpression(text.slice(start, close), (offset) => places(start + offset)));
    end = close + 2;
  }
  if (end < text.length) parts.push(text.slice(end));
  return parts;
}

function findClose(text: string, from: number): number {
  let isQuoted = false;
  for (let index = from; index < text.length; index += 1) {
    if (text[index] === "'") isQuoted = !isQuoted;
    else if (!isQuoted && text[index] === '}' && text[index + 1] === '}') return index;
  }
  return -1;
}
