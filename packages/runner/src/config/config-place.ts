import type { Place, YamlEntry, YamlNode } from '../workflow/yaml-node.ts';

/** Keys and list positions from the root of a document. */
export type ConfigPath = readonly PropertyKey[];

/** The value at a path; undefined where the document has none. */
export function nodeAt(root: YamlNode | undefined, path: ConfigPath): YamlNode | undefined {
  let node = root;
  for (const part of path) {
    if (node?.kind === 'sequence') node = node.items[Number(part)];
    else node = entryOf(node, part)?.value;
  }
  return node;
}

/** Where the value at a path stands; for one that is missing, the innermost key above it. */
export function placeOf(root: YamlNode | undefined, path: ConfigPath): Place | undefined {
  const node = nodeAt(root, path);
  if (node !== undefined) return node.at;
  return path.length === 0 ? undefined : placeOfKey(root, path.slice(0, -1));
}

/** Where the key at a path stands; for one that is missing, the innermost key above it. */
export function placeOfKey(root: YamlNode | undefined, path: ConfigPath): Place | undefined {
  const last = path.at(-1);
  if (last === undefined) return root?.at;
  const above = path.slice(0, -1);
  const parent = nodeAt(root, above);
  const own = parent?.kind === 'sequence' ? parent.items[Number(last)]?.at : entryOf(parent, last)?.keyAt;
  return own ?? placeOfKey(root, above);
}

function entryOf(node: YamlNode | undefined, key: PropertyKey): YamlEntry | undefined {
  if (node?.kind !== 'mapping') return undefined;
  return node.entries.find((entry) => entry.key === String(key));
}
