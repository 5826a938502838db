/** Where something stands in a text. Lines and columns count from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** A value of a YAML document with its place: what a workflow keeps of everything that may hold an expression. */
export type YamlNode = YamlScalar | YamlSequence | YamlMapping;

/** A single value. `source` is the text as it stands in the document, for messages. */
export interface YamlScalar {
  readonly kind: 'scalar';
  readonly value: string | number | boolean | null;
  readonly source: string;
  readonly at: Place;
}

/** A list. */
export interface YamlSequence {
  readonly kind: 'sequence';
  readonly items: readonly YamlNode[];
  readonly at: Place;
}

/** A mapping, in the order of the document; no key stands there twice, and merge keys are resolved. */
export interface YamlMapping {
  readonly kind: 'mapping';
  readonly entries: readonly YamlEntry[];
  readonly at: Place;
}

/** One key of a mapping. Keys are strings, whatever YAML would make of them. */
export interface YamlEntry {
  readonly key: string;
  readonly keyAt: Place;
  readonly value: YamlNode;
}
