import { UserError } from '../user-error.ts';
import type { BundledPackage } from './packages-in.ts';

/** Packages in a runner whose licence is denied: an error for each. */
export function findDenied(packages: readonly BundledPackage[], denied: readonly string[]): readonly UserError[] {
  if (denied.length === 0) return [];
  return packages.flatMap(({ name, version, license }) =>
    isDenied(license, denied)
      ? [
          new UserError(
            'FRB508',
            `${name}@${version} is under ${license ?? 'no licence that it names'}, which is denied`,
          ),
        ]
      : [],
  );
}

/**
 * Is there no way to use something under this SPDX expression without a denied licence? Of `A OR B` one that is not
 * denied is enough, of `A AND B` none may be. A licence in words of its own, such as `SEE LICENSE IN x`, is what it says.
 */
export function isDenied(expression: string | undefined, denied: readonly string[]): boolean {
  if (expression === undefined) return denied.includes('none');
  const tokens = expression.match(/[()]|[^\s()]+/g) ?? [];
  let at = 0;
  const all = (): boolean => {
    let result = one();
    while (tokens[at]?.toUpperCase() === 'AND') {
      at += 1;
      // Not short-circuited: the rest has to be read.
      const next = one();
      result = result || next;
    }
    return result;
  };
  const any = (): boolean => {
    let result = all();
    while (tokens[at]?.toUpperCase() === 'OR') {
      at += 1;
      const next = all();
      result = result && next;
    }
    return result;
  };
  const one = (): boolean => {
    const token = tokens[at] ?? '';
    at += 1;
    if (token === '(') {
      const result = any();
      at += 1;
      return result;
    }
    // An exception gives more rights than the licence, but not another licence.
    if (tokens[at]?.toUpperCase() === 'WITH') at += 2;
    return denied.some((pattern) => fits(token, pattern));
  };
  const result = any();
  // Not read to its end, so not an expression: then it is one name.
  return at < tokens.length ? denied.some((pattern) => fits(expression, pattern)) : result;
}

function fits(license: string, pattern: string): boolean {
  const [name, wanted] = [license.toLowerCase().replace(/\+$/, ''), pattern.toLowerCase()];
  return wanted.endsWith('*') ? name.startsWith(wanted.slice(0, -1)) : name === wanted.replace(/\+$/, '');
}
