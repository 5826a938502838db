/**
 * A value of an expression. Objects are maps and not plain objects: a key such as `__proto__` or `constructor` comes
 * from strangers and must be a key like any other. Look-up by name ignores case, see `findProperty`.
 */
export type Value = null | boolean | number | string | readonly Value[] | ValueMap;

/** An object of an expression, in the order in which its keys were set. */
export type ValueMap = ReadonlyMap<string, Value>;
