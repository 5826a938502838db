import {
  isComposite,
  isValueList,
  toJsonText,
  toNumber,
  toText,
  equals,
  foldCase,
  fromJsonValue,
  type Value,
} from './values.ts';

/** How many characters all functions of one evaluation may make together. */
export const outputLimitChars: number = 32 * 1024 * 1024;

/** What the functions of one evaluation may still make. */
export class OutputRoom {
  #left: number = outputLimitChars;

  get left(): number {
    return this.#left;
  }

  /** @throws {RangeError} where that is more than is left. */
  take(chars: number): void {
    this.#left -= chars;
    if (this.#left < 0) throw new RangeError(`expected results of at most ${outputLimitChars} characters, found more`);
  }
}

/** A function that every expression has. An argument is evaluated when the function asks for it. */
export interface BuiltInFunction {
  readonly minArguments: number;
  readonly maxArguments: number;
  /** `case` takes pairs and a default. */
  readonly isOdd?: true;
  readonly call: (args: readonly (() => Promise<Value>)[], room: OutputRoom) => Promise<Value>;
}

type Eager = (args: readonly Value[], room: OutputRoom) => Value;

function eager(minArguments: number, maxArguments: number, call: Eager): BuiltInFunction {
  return {
    minArguments,
    maxArguments,
    call: async (args, room) => {
      const values: Value[] = [];
      for (const arg of args) values.push(await arg());
      return call(values, room);
    },
  };
}

/**
 * The functions of every expression, by name in lower case.
 *
 * Source: GitHub's documentation of expressions.
 */
export const builtInFunctions: ReadonlyMap<string, BuiltInFunction> = new Map([
  ['contains', eager(2, 2, ([search = null, item = null]) => contains(search, item))],
  ['startswith', eager(2, 2, ([text = null, start = null]) => startsWith(text, start))],
  ['endswith', eager(2, 2, ([text = null, end = null]) => endsWith(text, end))],
  ['format', eager(1, 255, ([template = null, ...values], room) => format(toText(template), values, room))],
  ['join', eager(1, 2, ([list = null, separator], room) => join(list, separator, room))],
  ['tojson', eager(1, 1, ([value = null], room) => toJson(value, room))],
  ['fromjson', eager(1, 1, ([text = null]) => fromJson(toText(text)))],
  ['case', { minArguments: 3, maxArguments: 255, isOdd: true, call: chooseCase }],
]);

const spellings = new Map(
  ['startsWith', 'endsWith', 'toJSON', 'fromJSON', 'hashFiles'].map((name) => [name.toLowerCase(), name]),
);

/** The names of the built-in and of these functions as documentation spells them, for suggestions. */
export function functionSpellings(others: Iterable<string>): readonly string[] {
  return [...builtInFunctions.keys(), ...others].map((name) => spellings.get(name) ?? name);
}

/** What is wrong with the number of arguments, or undefined. */
export function arityProblem(
  name: string,
  known: { readonly minArguments: number; readonly maxArguments: number; readonly isOdd?: true },
  found: number,
): string | undefined {
  const { minArguments: min, maxArguments: max } = known;
  if (found >= min && found <= max) {
    return known.isOdd && found % 2 === 0
      ? `expected pairs and a default for ${name}(), found ${found} arguments`
      : undefined;
  }
  const wanted = min === max ? `${min}` : found < min ? `at least ${min}` : `at most ${max}`;
  return `expected ${wanted} argument${wanted.endsWith(' 1') || wanted === '1' ? '' : 's'} for ${name}(), found ${found}`;
}

function contains(search: Value, item: Value): boolean {
  if (isValueList(search)) return listContains(search, item);
  if (isComposite(search) || isComposite(item)) return false;
  return textContains(foldCase(toText(search)), foldCase(toText(item)));
}

function listContains(list: readonly Value[], item: Value): boolean {
  if (typeof item !== 'string') return list.some((each) => equals(each, item));
  // Converted once: the text may be long and the list as well.
  const asNumber = toNumber(item);
  return list.some((each) => {
    if (typeof each === 'string') return equals(each, item);
    return !isComposite(each) && toNumber(each) === asNumber;
  });
}

/** Where a text is longer than this, searching for it must not go back: V8's search is quadratic at its worst. */
const shortNeedle = 64;

function textContains(text: string, needle: string): boolean {
  if (needle.length <= shortNeedle) return text.includes(needle);
  if (needle.length > text.length) return false;
  // Knuth, Morris and Pratt: `borders[i]` is how much of the needle still stands after a mismatch behind i.
  const borders = new Int32Array(needle.length);
  for (let i = 1, matched = 0; i < needle.length; i += 1) {
    while (matched > 0 && needle[i] !== needle[matched]) matched = borders[matched - 1] ?? 0;
    if (needle[i] === needle[matched]) matched += 1;
    borders[i] = matched;
  }
  for (let i = 0, matched = 0; i < text.length; i += 1) {
    while (matched > 0 && text[i] !== needle[matched]) matched = borders[matched - 1] ?? 0;
    if (text[i] === needle[matched]) matched += 1;
    if (matched === needle.length) return true;
  }
  return false;
}

function startsWith(text: Value, start: Value): boolean {
  if (isComposite(text) || isComposite(start)) return false;
  const wanted = toText(start);
  return foldCase(toText(text).slice(0, wanted.length)) === foldCase(wanted);
}

function endsWith(text: Value, end: Value): boolean {
  if (isComposite(text) || isComposite(end)) return false;
  const [whole, wanted] = [toText(text), toText(end)];
  return whole.length >= wanted.length && foldCase(whole.slice(whole.length - wanted.length)) === foldCase(wanted);
}

/** Puts values for `{0}`, `{1}`; `{{` and `}}` stand for braces. */
function format(template: string, values: readonly Value[], room: OutputRoom): string {
  const texts = values.map(toText);
  const parts: string[] = [];
  const write = (part: string): void => {
    room.take(part.length);
    parts.push(part);
  };
  let end = 0;
  for (const { 0: found, index } of template.matchAll(/\{\{|\}\}|\{\d+\}|[{}]/g)) {
    write(template.slice(end, index));
    end = index + found.length;
    if (found === '{{' || found === '}}') write(found.charAt(0));
    else if (found.length < 3) {
      throw new Error(
        `expected "{{", "}}" or "{0}" in the text for format(), found "${found}" at character ${index + 1}`,
      );
    } else {
      const text = texts[Number(found.slice(1, -1))];
      if (text === undefined)
        throw new Error(`expected a value for ${found} in format(), found ${values.length} values`);
      write(text);
    }
  }
  write(template.slice(end));
  return parts.join('');
}

function join(list: Value, separator: Value | undefined, room: OutputRoom): string {
  if (!isComposite(list)) return toText(list);
  if (!isValueList(list)) return '';
  const between = separator !== undefined && !isComposite(separator) ? toText(separator) : ',';
  const parts: string[] = [];
  for (const item of list) {
    const text = toText(item);
    room.take(text.length + between.length);
    parts.push(text);
  }
  return parts.join(between);
}

function toJson(value: Value, room: OutputRoom): string {
  const text = toJsonText(value, room.left);
  room.take(text.length);
  return text;
}

function fromJson(text: string): Value {
  if (text.trim() === '') throw new Error('expected JSON for fromJSON(), found an empty text');
  const parsed = parseJson(text);
  if (parsed.kind === 'value') return fromJsonValue(parsed.value);
  const where = parsed.position === undefined ? '' : `, wrong at character ${parsed.position + 1}`;
  throw new Error(
    `expected JSON for fromJSON(), found a text of ${text.length} character${text.length === 1 ? '' : 's'} that is none${where}`,
  );
}

type ParsedJson =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'wrong'; readonly position: number | undefined };

/** Keeps of the parser's error only the position: its message quotes the text, which may hold a secret. */
function parseJson(text: string): ParsedJson {
  try {
    return { kind: 'value', value: JSON.parse(text) };
  } catch (error) {
    const position = /position (\d+)/.exec(error instanceof Error ? error.message : '')?.[1];
    return { kind: 'wrong', position: position === undefined ? undefined : Number(position) };
  }
}

/** The value after the first predicate that is true, or the last argument. Values that are not chosen stay unevaluated. */
async function chooseCase(args: readonly (() => Promise<Value>)[]): Promise<Value> {
  for (let index = 0; index + 1 < args.length; index += 2) {
    const predicate = await args[index]?.();
    if (typeof predicate !== 'boolean') {
      throw new Error(`expected true or false as argument ${index + 1} of case(), found another kind of value`);
    }
    if (predicate) return (await args[index + 1]?.()) ?? null;
  }
  return (await args.at(-1)?.()) ?? null;
}
