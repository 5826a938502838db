/**
 * A value of an expression. Objects are maps and not plain objects: a key such as `__proto__` or `constructor` comes
 * from strangers and must be a key like any other. Look-up by name ignores case, see `findProperty`.
 */
export type Value = null | boolean | number | string | readonly Value[] | ValueMap;

/** An object of an expression, in the order in which its keys were set. */
export type ValueMap = ReadonlyMap<string, Value>;

/** How deep lists and objects may nest. */
export const valueLimitDepth = 100;

/** Whether a value is an object. */
export function isValueMap(value: Value | undefined): value is ValueMap {
  return value instanceof Map;
}

/** Whether a value is a list. */
export function isValueList(value: Value | undefined): value is readonly Value[] {
  return Array.isArray(value);
}

/** The member of this name: the one that is spelt so, or else the first that differs in case only. */
export function findProperty(map: ValueMap, name: string): Value | undefined {
  const exact = map.get(name);
  if (exact !== undefined) return exact;
  const wanted = foldCase(name);
  for (const [key, value] of map) {
    if (key.length === name.length && foldCase(key) === wanted) return value;
  }
  return undefined;
}

/**
 * A value as text, as `${{ }}` puts it into a script. Lists and objects have none and become their kind.
 *
 * Source: GitHub's expressions, casting to a string; numbers as its language services print them.
 */
export function toText(value: Value): string {
  if (typeof value === 'string') return value;
  if (value === null) return '';
  if (typeof value === 'number') return numberText(value);
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  return isValueMap(value) ? 'Object' : 'Array';
}

/** A number with at most 15 digits after its point, without zeros at the end; no minus before a zero. */
function numberText(value: number): string {
  if (value === 0) return '0';
  return String(Number(value.toFixed(15)));
}

/** A value as a number: what a comparison of different kinds compares. */
export function toNumber(value: Value): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (value === null) return 0;
  // JavaScript reads binary numbers, which GitHub's documentation does not know.
  if (typeof value === 'string') return /^\s*0b/i.test(value) ? Number.NaN : Number(value);
  return Number.NaN;
}

/** False are null, false, 0, NaN and the empty text; lists and objects are true even when empty. */
export function isTruthy(value: Value): boolean {
  return value !== null && value !== false && value !== 0 && value !== '' && !Number.isNaN(value);
}

/** `==`: texts without regard to case, lists and objects by identity, different kinds as numbers. */
export function equals(left: Value, right: Value): boolean {
  if (typeof left === 'string' && typeof right === 'string') return equalsText(left, right);
  if (isComposite(left) || isComposite(right)) return left === right;
  return left === right || toNumber(left) === toNumber(right);
}

/** Whether a value is a list or an object. */
export function isComposite(value: Value): value is readonly Value[] | ValueMap {
  return typeof value === 'object' && value !== null;
}

function equalsText(left: string, right: string): boolean {
  return left === right || (left.length === right.length && foldCase(left) === foldCase(right));
}

/** `<` and `>`: negative, 0 or positive like a sort's, NaN where the two have no order. */
export function compare(left: Value, right: Value): number {
  if (typeof left === 'string' && typeof right === 'string') {
    const [first, second] = [foldCase(left), foldCase(right)];
    if (first === second) return 0;
    return first < second ? -1 : 1;
  }
  if (isComposite(left) || isComposite(right)) return Number.NaN;
  // Two nulls have no order of their own, but they are equal.
  if (left === null && right === null) return 0;
  const [first, second] = [toNumber(left), toNumber(right)];
  if (first === second) return 0;
  if (first < second) return -1;
  return first > second ? 1 : Number.NaN;
}

/**
 * A text as comparisons see it: upper case, letter by letter, so that its length stays. A letter beyond ASCII never
 * becomes one of ASCII: `ı` is not `I`.
 */
export function foldCase(text: string): string {
  if (/^[\0-\x7f]*$/.test(text)) return text.toUpperCase();
  return text.replace(/[^\0-\x7f]/gu, foldLetter).replace(/[a-z]+/g, (letters) => letters.toUpperCase());
}

function foldLetter(letter: string): string {
  const upper = letter.toUpperCase();
  return upper.length === letter.length && upper > '\x7f' ? upper : letter;
}

/**
 * What `JSON.parse` gave, as a value. Only an object's own keys count.
 *
 * @throws {RangeError} where it nests deeper than {@link valueLimitDepth}.
 */
export function fromJsonValue(json: unknown, depth = 0): Value {
  if (depth > valueLimitDepth)
    throw new RangeError(`expected at most ${valueLimitDepth} levels of nesting, found more`);
  if (typeof json === 'string' || typeof json === 'boolean' || typeof json === 'number') return json;
  if (Array.isArray(json)) return json.map((item) => fromJsonValue(item, depth + 1));
  if (typeof json !== 'object' || json === null) return null;
  const map = new Map<string, Value>();
  for (const [key, item] of Object.entries(json)) map.set(key, fromJsonValue(item, depth + 1));
  return map;
}

/** A value as plain JSON data, for `JSON.stringify` and for libraries. */
export function toJsonValue(value: Value): unknown {
  if (isValueMap(value)) return Object.fromEntries([...value].map(([key, item]) => [key, toJsonValue(item)]));
  return isValueList(value) ? value.map(toJsonValue) : value;
}

/**
 * A value as indented JSON, as `toJSON()` gives it. Keys keep their order, also those that look like numbers.
 *
 * @throws {RangeError} where the text would be longer than `limitChars`.
 */
export function toJsonText(value: Value, limitChars: number = Number.POSITIVE_INFINITY): string {
  const parts: string[] = [];
  let length = 0;
  const write = (part: string): void => {
    length += part.length;
    if (length > limitChars) throw new RangeError(`expected JSON of at most ${limitChars} characters, found more`);
    parts.push(part);
  };
  writeJson(value, '\n', write);
  return parts.join('');
}

function writeJson(value: Value, newLine: string, write: (part: string) => void): void {
  const inner = `${newLine}  `;
  if (isValueMap(value)) {
    if (value.size === 0) return write('{}');
    let before = '{';
    for (const [key, item] of value) {
      write(`${before}${inner}${JSON.stringify(key)}: `);
      writeJson(item, inner, write);
      before = ',';
    }
    write(`${newLine}}`);
  } else if (isValueList(value)) {
    if (value.length === 0) return write('[]');
    let before = '[';
    for (const item of value) {
      write(`${before}${inner}`);
      writeJson(item, inner, write);
      before = ',';
    }
    write(`${newLine}]`);
  } else write(JSON.stringify(value));
}
