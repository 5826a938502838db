/**
 * A validator of any library that follows Standard Schema 1 (zod, valibot, arktype and others), described by its shape
 * so that this package depends on none of them.
 *
 * Source: the Standard Schema specification, version 1.
 */
export interface StandardSchemaV1<I = unknown, O = I> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<O> | Promise<SchemaResult<O>>;
    readonly types?: { readonly input: I; readonly output: O } | undefined;
    /** Writes itself as a JSON Schema, where the library can. Source: the Standard JSON Schema specification. */
    readonly jsonSchema?: { readonly input: (options: JsonSchemaOptions) => object } | undefined;
  };
}

/** In which form a validator is to write itself down. */
export interface JsonSchemaOptions {
  readonly target: 'draft-2020-12';
  /** For the library of the validator alone; others ignore it. */
  readonly libraryOptions?: Record<string, unknown> | undefined;
}

/** What a validator made of a value: the value in its final shape, or everything that is wrong with it. */
export type SchemaResult<O> =
  | { readonly value: O; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

/** One thing that is wrong with a value, and the path to it from the root of the value. */
export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** What the schema takes, as a JSON Schema; undefined where it has a part that JSON Schema cannot say. */
export function writeJsonSchema(schema: StandardSchemaV1): object | undefined {
  try {
    // zod throws at such a part unless it is told to leave it open: one of them should not hide all other options.
    const libraryOptions = { unrepresentable: 'any' };
    return schema['~standard'].jsonSchema?.input({ target: 'draft-2020-12', libraryOptions });
  } catch {
    return undefined;
  }
}
