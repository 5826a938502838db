import {
  equals,
  isComposite,
  isValueList,
  isValueMap,
  toJsonText,
  toText,
  type Value,
  type ValueMap,
} from '../expressions/values.ts';

/** GitHub's limit of jobs that one matrix may make. */
export const matrixLimit = 256;

/**
 * The combinations of an evaluated matrix, in the order of its lists, then those that only `include` makes. No matrix,
 * or one without keys, gives one empty combination.
 *
 * Source: GitHub's documentation of `jobs.<job_id>.strategy.matrix`.
 *
 * @throws {Error} with what is wrong; the caller knows its place.
 */
export function expandMatrix(matrix: Value | undefined): readonly ValueMap[] {
  if (matrix === undefined || matrix === null) return [new Map()];
  if (!isValueMap(matrix)) throw new Error('expected a mapping of lists for the matrix, found something else');
  const include = readCombinations(matrix.get('include'), 'include');
  const exclude = readCombinations(matrix.get('exclude'), 'exclude');
  const product = multiply(readVectors(matrix));
  const kept = product.filter((combination) => !exclude.some((pattern) => matchesPattern(combination, pattern)));
  const combinations = includeMore(kept, include);
  if (combinations.length > matrixLimit) throw tooMany(combinations.length);
  if (combinations.length > 0) return combinations;
  // A job that was meant to run in many ways must not run in none of them.
  if (matrix.size > 0) throw new Error('expected at least one combination in the matrix, found none');
  return [new Map()];
}

function tooMany(found: number): Error {
  return new Error(`expected at most ${matrixLimit} combinations in the matrix, found ${found}`);
}

function readVectors(matrix: ValueMap): ReadonlyMap<string, readonly Value[]> {
  const vectors = new Map<string, readonly Value[]>();
  for (const [name, values] of matrix) {
    if (name === 'include' || name === 'exclude') continue;
    if (!isValueList(values)) throw new Error(`expected a list for "${name}" in the matrix, found something else`);
    if (values.length === 0) throw new Error(`expected at least one value for "${name}" in the matrix, found none`);
    vectors.set(name, values);
  }
  return vectors;
}

function readCombinations(value: Value | undefined, key: string): readonly ValueMap[] {
  if (value === undefined || value === null) return [];
  const list = isValueList(value) ? value : undefined;
  const maps = list?.filter(isValueMap);
  if (list === undefined || maps === undefined || maps.length < list.length) {
    throw new Error(`expected a list of mappings for "${key}" in the matrix, found something else`);
  }
  return maps;
}

function multiply(vectors: ReadonlyMap<string, readonly Value[]>): readonly ValueMap[] {
  if (vectors.size === 0) return [];
  let size = 1;
  for (const values of vectors.values()) size *= values.length;
  // What is excluded counts here as well, so that a product without bounds is never made.
  if (size > matrixLimit * matrixLimit) throw tooMany(size);
  let combinations: readonly ValueMap[] = [new Map()];
  for (const [name, values] of vectors) {
    combinations = combinations.flatMap((combination) =>
      values.map((value) => new Map([...combination, [name, value]])),
    );
  }
  return combinations;
}

/** Whether every member of the pattern is in the combination. */
function matchesPattern(combination: ValueMap, pattern: ValueMap): boolean {
  for (const [name, wanted] of pattern) {
    const value = combination.get(name);
    if (value === undefined || !covers(value, wanted)) return false;
  }
  return true;
}

/** Objects by the members that the pattern names, lists item by item, the rest as expressions compare. */
function covers(value: Value, wanted: Value): boolean {
  if (isValueMap(wanted)) return isValueMap(value) && matchesPattern(value, wanted);
  if (isValueList(wanted)) {
    return (
      isValueList(value) &&
      value.length === wanted.length &&
      wanted.every((item, at) => covers(value[at] ?? null, item))
    );
  }
  return equals(value, wanted);
}

/**
 * Each entry of `include` joins every combination of the product whose own values it would not overwrite; what an
 * earlier entry added may be overwritten. An entry that joins none is a combination of its own.
 */
function includeMore(product: readonly ValueMap[], include: readonly ValueMap[]): readonly ValueMap[] {
  const extended = product.map((combination) => new Map(combination));
  const added: ValueMap[] = [];
  for (const entry of include) {
    let isJoined = false;
    for (const [index, original] of product.entries()) {
      const target = extended[index];
      if (target === undefined || overwrites(entry, original)) continue;
      isJoined = true;
      for (const [name, value] of entry) target.set(name, value);
    }
    if (!isJoined) added.push(entry);
  }
  return [...extended, ...added];
}

function overwrites(entry: ValueMap, original: ValueMap): boolean {
  for (const [name, value] of entry) {
    const existing = original.get(name);
    if (existing !== undefined && !(covers(existing, value) && covers(value, existing))) return true;
  }
  return false;
}

/** The name of one job of a matrix: `build (18, linux)`. Objects stand there by their first-level values. */
export function matrixName(jobName: string, combination: ValueMap): string {
  const texts = [...combination.values()].flatMap((value) => nameParts(value)).filter((text) => text !== '');
  return texts.length === 0 ? jobName : `${jobName} (${texts.join(', ')})`;
}

function nameParts(value: Value): readonly string[] {
  if (!isComposite(value)) return [toText(value)];
  const members = isValueMap(value) ? [...value.values()] : value;
  return members.map((member) => (isComposite(member) ? toJsonText(member).replace(/\s*\n\s*/g, ' ') : toText(member)));
}
