import * as z from 'zod';
import type { YamlNode } from '../workflow/yaml-node.ts';
import { settings } from './setting.ts';

/**
 * The values of a document as a schema reads them: what has no value is left out, and where a text is expected it is the
 * text that stands in the file. Objects have no prototype, so that no key is special.
 */
export function plainValue(node: YamlNode, schema?: z.core.$ZodType): unknown {
  if (node.kind === 'scalar') {
    const isText = schema !== undefined && settingOf(schema)?.isText === true;
    return isText && typeof node.value !== 'string' && node.value !== null ? node.source : node.value;
  }
  if (node.kind === 'sequence') return node.items.map((item) => plainValue(item, partOf(schema, 0)));
  const values: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  // What somebody else validates keeps its nulls.
  const isForeign = schema === undefined || unwrapped(schema) instanceof z.ZodUnknown;
  for (const { key, value } of node.entries) {
    if (value.kind === 'scalar' && value.value === null && !isForeign) continue;
    values[key] = plainValue(value, partOf(schema, key));
  }
  return values;
}

/** What is said about a schema, also where it is wrapped in a default. */
export function settingOf(schema: z.core.$ZodType): ReturnType<typeof settings.get> {
  for (let one: z.core.$ZodType | undefined = schema; one !== undefined; one = wrappedIn(one)) {
    const setting = settings.get(one);
    if (setting !== undefined) return setting;
  }
  return undefined;
}

/** The schema of a key or of the items of a list; undefined where the schema does not say. */
export function partOf(schema: z.core.$ZodType | undefined, key: PropertyKey): z.core.$ZodType | undefined {
  const inner = schema === undefined ? undefined : unwrapped(schema);
  if (inner instanceof z.ZodObject) {
    const shape = inner.shape as Readonly<Record<string, z.core.$ZodType>>;
    return Object.hasOwn(shape, String(key)) ? shape[String(key)] : undefined;
  }
  if (inner instanceof z.ZodRecord) return inner.valueType;
  return inner instanceof z.ZodArray ? inner.element : undefined;
}

/** The keys that a schema knows; undefined where any key may stand. */
export function keysOf(schema: z.core.$ZodType | undefined): readonly string[] | undefined {
  const inner = schema === undefined ? undefined : unwrapped(schema);
  return inner instanceof z.ZodObject ? Object.keys(inner.shape) : undefined;
}

function unwrapped(schema: z.core.$ZodType): z.core.$ZodType {
  const below = wrappedIn(schema);
  return below === undefined ? schema : unwrapped(below);
}

function wrappedIn(schema: z.core.$ZodType): z.core.$ZodType | undefined {
  const isWrapper =
    schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional;
  return isWrapper ? schema.unwrap() : undefined;
}
