/**
 * The keys that an object schema knows: of a JSON Schema, or of a validator that can write itself as one, which the
 * Standard JSON Schema interface has as `~standard.jsonSchema`. Undefined where nobody says.
 */
export function schemaKeys(schema: unknown): readonly string[] | undefined {
  const json = member(member(schema, '~standard'), 'jsonSchema');
  const input = member(json, 'input');
  const written: unknown =
    typeof input === 'function' ? attempt(() => input({ target: 'draft-2020-12' }) as unknown) : schema;
  const properties = member(written, 'properties');
  return typeof properties === 'object' && properties !== null ? Object.keys(properties) : undefined;
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
