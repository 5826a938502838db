import type { BackendFactory } from '@forgejo-runner/core';

/** The options at the top of a backend's section or of its labels. Undefined where the backend does not say. */
export function optionsOf(factory: BackendFactory, part: 'config' | 'label'): readonly string[] | undefined {
  // It is the author's code, and only good for a hint here: what it throws must not hide the problem itself.
  return schemaKeys(attempt(() => factory.jsonSchema?.()[part]));
}

/**
 * The keys that an object schema takes: of a JSON Schema, or of a validator that can write itself as one, which the
 * Standard JSON Schema interface has as `~standard.jsonSchema`. Undefined where nobody says.
 */
export function schemaKeys(schema: unknown): readonly string[] | undefined {
  const json = member(member(schema, '~standard'), 'jsonSchema');
  const input = member(json, 'input');
  const written: unknown =
    typeof input === 'function' ? attempt(() => input({ target: 'draft-2020-12' }) as unknown) : schema;
  const properties = member(written, 'properties');
  if (typeof properties !== 'object' || properties === null) return undefined;
  return Object.entries(properties).flatMap(([key, value]) => (takesNothing(value) ? [] : [key]));
}

/** A key may be in a schema only so that its message says why it is wrong: nobody meant that one. */
function takesNothing(schema: unknown): boolean {
  const not = member(schema, 'not');
  return schema === false || not === true || (typeof not === 'object' && not !== null && Object.keys(not).length === 0);
}

function member(value: unknown, name: string): unknown {
  // Schemas of some libraries are functions.
  const hasMembers = (typeof value === 'object' && value !== null) || typeof value === 'function';
  return hasMembers ? (value as Readonly<Record<string, unknown>>)[name] : undefined;
}

/** A schema with a part that JSON Schema cannot say throws: then there is no suggestion. */
function attempt(write: () => unknown): unknown {
  try {
    return write();
  } catch {
    return undefined;
  }
}
