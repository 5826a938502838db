import type { Value } from './values.ts';

/** What an expression can see where it stands. */
export interface Scope {
  /** Contexts by name in lower case: `github`, `env`, `steps`. A context that is not here is an error where it is named. */
  readonly contexts: ReadonlyMap<string, Value>;
  /** Functions beside the built-in ones, by name in lower case: the status functions, and `hashfiles`. */
  readonly functions: ReadonlyMap<string, ScopeFunction>;
}

/** A function of an expression that depends on where the expression stands. It may throw an `Error` with the reason. */
export interface ScopeFunction {
  readonly minArguments: number;
  readonly maxArguments: number;
  readonly call: (args: readonly Value[]) => Value | Promise<Value>;
}
