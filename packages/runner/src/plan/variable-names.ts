import { quoted, UserError } from '../user-error.ts';
import type { YamlNode } from '../workflow/yaml-node.ts';

/**
 * Refuses names and values that no process can have as variables: a name that is empty or has `=`, and zero bytes.
 *
 * @throws UserError `FRR503` with every such name.
 */
export function checkVariableNames(env: ReadonlyMap<string, string>, node: YamlNode | undefined): void {
  if (node === undefined) return;
  const problems = [...env].flatMap(([name, value]) => {
    const found = whatIsWrong(name, value);
    return found === undefined ? [] : [{ at: node.at, message: `expected variables in env, found ${found}` }];
  });
  if (problems.length > 0) throw new UserError('FRR503', { problems, next: 'write NAME: value' });
}

function whatIsWrong(name: string, value: string): string | undefined {
  if (name === '') return 'one with an empty name';
  if (name.includes('=') || name.includes('\0')) return `the name ${quoted(name)}`;
  return value.includes('\0') ? `a zero byte in the value of ${quoted(name)}` : undefined;
}
