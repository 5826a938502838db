import { type Problem, quoted, UserError } from '../user-error.ts';

/**
 * Reads repeated flags of the form `NAME=value`, or `NAME` for the variable of that name in the environment.
 *
 * @throws {UserError} `FRR101` with every flag that has neither. Values are never quoted.
 */
export function readNameValues(
  flag: string,
  texts: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  const problems: Problem[] = [];
  for (const text of texts) {
    const equals = text.indexOf('=');
    const name = equals < 0 ? text : text.slice(0, equals);
    const value = equals < 0 ? env[name] : text.slice(equals + 1);
    if (name === '') problems.push({ message: `expected NAME=value after ${flag}, found no name` });
    else if (value === undefined)
      problems.push({
        message: `expected a value for ${flag} ${quoted(name)}, found none here and none in the environment`,
      });
    else values.set(name, value);
  }
  if (problems.length > 0) throw new UserError('FRR101', { problems, next: `write ${flag} NAME=value` });
  return values;
}
