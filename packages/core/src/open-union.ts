/** A union of known strings that may grow in a minor version: code that reads it always handles the unknown one. */
export type Str<Known extends string> = Known | (string & {});

/** Environment variables by name. */
export type Env = Readonly<Record<string, string>>;
