import { quoted } from '../user-error.ts';
import { describeNode } from '../workflow/read-shape.ts';
import type { YamlEntry, YamlNode, YamlScalar } from '../workflow/yaml-node.ts';
import { evaluate } from './evaluate.ts';
import type { Expression } from './expression.ts';
import { ExpressionError } from './expression-error.ts';
import { outputLimitChars } from './functions.ts';
import type { Scope } from './scope.ts';
import { parseTemplate, type TemplatePart } from './template.ts';
import { isValueList, isValueMap, toText, type Value, type ValueMap } from './values.ts';

/**
 * The text of a scalar with every `${{ }}` replaced by its value. A text without one comes back as it is.
 *
 * @throws {ExpressionError} with the place of what is wrong.
 */
export async function interpolate(node: YamlScalar, scope: Scope): Promise<string> {
  return toText(await evaluateScalar(node, scope));
}

/** The value of a scalar. One that is nothing but a `${{ }}` keeps the kind of its value; all others become text. */
export async function evaluateScalar(node: YamlScalar, scope: Scope): Promise<Value> {
  if (typeof node.value !== 'string' || !node.value.includes('${{')) return node.value;
  const parts = parseTemplate(node);
  const [only] = parts;
  if (parts.length === 1 && only !== undefined && typeof only !== 'string') return evaluate(only, scope);
  return joinParts(parts, scope);
}

async function joinParts(parts: readonly TemplatePart[], scope: Scope): Promise<string> {
  const texts: string[] = [];
  let length = 0;
  for (const part of parts) {
    const text = typeof part === 'string' ? part : toText(await evaluate(part, scope));
    length += text.length;
    if (length > outputLimitChars && typeof part !== 'string') throw tooLong(part);
    texts.push(text);
  }
  return texts.join('');
}

function tooLong({ text, placeAt }: Expression): ExpressionError {
  const reason = `expected a text of at most ${outputLimitChars} characters, found more`;
  return new ExpressionError({ expression: text.trim(), at: placeAt(0), reason });
}

/**
 * The value of a whole tree, such as a matrix or a container. Keys may hold expressions as well; `${{ insert }}: x`
 * puts the members of the object x in its place, and an item of a list that gives a list puts its items there.
 */
export async function evaluateTree(node: YamlNode, scope: Scope): Promise<Value> {
  if (node.kind === 'scalar') return evaluateScalar(node, scope);
  if (node.kind === 'mapping') return evaluateMapping(node.entries, scope);
  const items: Value[] = [];
  for (const item of node.items) {
    const value = await evaluateTree(item, scope);
    // Not by spreading: a list from fromJSON() may be longer than a call can have arguments.
    if (item.kind === 'scalar' && isValueList(value)) for (const inner of value) items.push(inner);
    else items.push(value);
  }
  return items;
}

const insertKey = /^\$\{\{\s*insert\s*\}\}$/;

async function evaluateMapping(entries: readonly YamlEntry[], scope: Scope): Promise<ValueMap> {
  const map = new Map<string, Value>();
  for (const entry of entries) {
    const value = await evaluateTree(entry.value, scope);
    if (insertKey.test(entry.key)) for (const [key, member] of inserted(entry, value)) map.set(key, member);
    else map.set(await interpolateKey(entry, scope), value);
  }
  return map;
}

function inserted(entry: YamlEntry, value: Value): ValueMap {
  if (isValueMap(value)) return value;
  const reason = `expected an object to insert, found ${describeNode(entry.value)}`;
  throw new ExpressionError({ expression: 'insert', at: entry.value.at, reason });
}

async function interpolateKey({ key, keyAt }: YamlEntry, scope: Scope): Promise<string> {
  if (!key.includes('${{')) return key;
  return interpolate({ kind: 'scalar', value: key, source: key, at: keyAt }, scope);
}

/**
 * The texts of a mapping such as `env`, `with` or `outputs`. One expression may stand for the whole when it gives an
 * object; what is not there at all gives an empty map.
 */
export async function evaluateStringMap(
  node: YamlNode | undefined,
  scope: Scope,
): Promise<ReadonlyMap<string, string>> {
  const texts = new Map<string, string>();
  if (node === undefined) return texts;
  const value = await evaluateTree(node, scope);
  if (value === null) return texts;
  if (!isValueMap(value)) {
    const expression = node.kind === 'scalar' ? node.source : '';
    const reason = `expected an object or a mapping, found ${isValueList(value) ? 'a list' : quoted(typeof value)}`;
    throw new ExpressionError({ expression, at: node.at, reason });
  }
  for (const [name, member] of value) texts.set(name, toText(member));
  return texts;
}
