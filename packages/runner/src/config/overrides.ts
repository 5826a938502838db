import type * as z from 'zod';
import { UserError } from '../user-error.ts';
import type { Place, YamlEntry, YamlMapping, YamlNode } from '../workflow/yaml-node.ts';
import { parseYaml } from '../workflow/yaml-source.ts';
import { keysOf, partOf, settingOf } from './plain-value.ts';
import { configSchema } from './schema.ts';

const prefix = /^RUNNER__(?=.)/i;

/**
 * Lays variables such as `RUNNER__RUNNER__CAPACITY=2` over a configuration file: a variable wins over the key that it names,
 * and its name stands in messages as the place. Case does not matter, and an empty variable counts as not set.
 *
 * @throws {UserError} `FRR201` for a value that is no YAML.
 */
export function withOverrides(source: YamlNode, env: Readonly<Record<string, string | undefined>>): YamlNode {
  let root: YamlNode = source;
  for (const [name, text] of Object.entries(env).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (!prefix.test(name) || text === undefined || text === '') continue;
    const keys = name.replace(prefix, '').split('__');
    root = laidOver(root, keys, configSchema, { name: `$${name}`, text });
  }
  return root;
}

interface Variable {
  readonly name: string;
  readonly text: string;
}

function laidOver(
  node: YamlNode | undefined,
  [key, ...rest]: readonly string[],
  schema: z.core.$ZodType | undefined,
  variable: Variable,
): YamlNode {
  if (key === undefined) return valueOf(variable, schema);
  const at: Place = { file: variable.name, line: 1, column: 1 };
  // What is no mapping is none for the key either: the variable takes its place.
  const mapping: YamlMapping = node?.kind === 'mapping' ? node : { kind: 'mapping', entries: [], at };
  const name = nameOf(key, mapping, schema);
  const before = mapping.entries.find((entry) => entry.key === name);
  const value = laidOver(before?.value, rest, schema === undefined ? undefined : partOf(schema, name), variable);
  const entry: YamlEntry = { key: name, keyAt: before?.keyAt ?? at, value };
  return { ...mapping, entries: [...mapping.entries.filter((one) => one !== before), entry] };
}

/** As the file or the schema spells it; names of variables and labels keep their case. */
function nameOf(key: string, { entries }: YamlMapping, schema: z.core.$ZodType | undefined): string {
  const known = [...entries.map((entry) => entry.key), ...(schema === undefined ? [] : (keysOf(schema) ?? []))];
  const same = known.find((name) => name.toLowerCase() === key.toLowerCase());
  if (same !== undefined) return same;
  const isNamedByUser = schema !== undefined && settingOf(schema)?.byDefault === '{}';
  return isNamedByUser ? key : key.toLowerCase();
}

function valueOf({ name, text }: Variable, schema: z.core.$ZodType | undefined): YamlNode {
  const at: Place = { file: name, line: 1, column: 1 };
  const setting = schema === undefined ? undefined : settingOf(schema);
  if (setting?.isText === true) return { kind: 'scalar', value: text, source: text, at };
  try {
    const value = parseYaml(text, name);
    const isList = setting?.expected.startsWith('a list') === true;
    if (!isList || value.kind !== 'scalar') return value;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError('FRR201', { problems: error.problems, cause: error });
  }
  // `a, b` for a list, as variables are often written.
  const items = text.split(/[,\n]/).flatMap((part): YamlNode[] => {
    const item = part.trim();
    return item === '' ? [] : [{ kind: 'scalar', value: item, source: item, at }];
  });
  return { kind: 'sequence', items, at };
}
