import type { Place, YamlScalar } from '../workflow/yaml-node.ts';

/**
 * Where the characters of a scalar's value stand in the document: exact for plain, quoted and literal scalars, and for
 * folded ones as well as long as only white space was folded.
 */
export function placesInScalar(node: YamlScalar): (offset: number) => Place {
  return (offset) => placeAt(node, sourceOffset(node, offset));
}

function placeAt(node: YamlScalar, offset: number): Place {
  const before = node.source.slice(0, offset);
  const lastBreak = before.lastIndexOf('\n');
  if (lastBreak === -1) return { ...node.at, column: node.at.column + offset };
  const line = node.at.line + before.split('\n').length - 1;
  return { file: node.at.file, line, column: offset - lastBreak };
}

/** Walks value and source side by side: what is in both in the same order is what the value was made of. */
function sourceOffset({ value, source }: YamlScalar, wanted: number): number {
  if (typeof value !== 'string') return 0;
  const style = source.charAt(0);
  let at = style === '|' || style === '>' ? source.indexOf('\n') + 1 : style === '"' || style === "'" ? 1 : 0;
  // The text before the wanted character, where all of it stands, and then the white space before that one.
  for (let index = 0; index <= wanted && index < value.length; index += 1) {
    const char = value.charAt(index);
    if (/\s/.test(char)) {
      if (index < wanted) at += consumedByWhiteSpace(source, at, char, style);
      continue;
    }
    at = findChar(source, at, char, style);
    if (index < wanted) at += consumed(source, at, style);
  }
  return Math.min(at, source.length);
}

/** The next place in the source that stands for this character. */
function findChar(source: string, from: number, char: string, style: string): number {
  let at = from;
  while (at < source.length && /\s/.test(source.charAt(at))) at += 1;
  if (style === '"' && source.charAt(at) === '\\') return skipLineBreaks(source, at);
  const found = source.indexOf(char, at);
  return found === -1 ? at : found;
}

/** A backslash before a line break in double quotes joins two lines and stands for nothing. */
function skipLineBreaks(source: string, from: number): number {
  const joined = /^(?:\\\r?\n\s*)+/.exec(source.slice(from));
  return from + (joined?.[0].length ?? 0);
}

/** White space may stand there as it is, as an escape, or be made of a line break; that one is skipped later. */
function consumedByWhiteSpace(source: string, at: number, char: string, style: string): number {
  if (source.charAt(at) === char) return 1;
  const isEscape = style === '"' && source.charAt(at) === '\\' && !/[\r\n]/.test(source.charAt(at + 1));
  return isEscape ? consumed(source, at, style) : 0;
}

/** How many characters of the source stand for one of the value. */
function consumed(source: string, at: number, style: string): number {
  if (style === "'" && source.startsWith("''", at)) return 2;
  if (style !== '"' || source.charAt(at) !== '\\') return 1;
  const hex = { x: 4, u: 6, U: 10 }[source.charAt(at + 1)];
  return hex ?? 2;
}
