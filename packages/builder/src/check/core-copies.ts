import type { OtherCore } from '../bundle/one-core.ts';
import { coreName } from '../resolve/installation.ts';
import type { ResolvedPackage } from '../resolve/resolved-package.ts';
import { UserError } from '../user-error.ts';

/** What is to be said about copies of the API beside the runner's. */
export interface CoreCopies {
  readonly errors: readonly UserError[];
  /** The shared copy is used instead, but the author should know. */
  readonly warnings: readonly UserError[];
}

/** Judges the copies that were found while bundling: another major is an error, the same major was replaced. */
export function judgeCoreCopies(others: readonly OtherCore[], core: ResolvedPackage): CoreCopies {
  const errors: UserError[] = [];
  const warnings: UserError[] = [];
  for (const other of others) {
    const brings = `${other.broughtBy} brings its own ${coreName} ${other.version}`;
    if (other.isOtherMajor) {
      errors.push(new UserError('FRB408', `${brings}; this runner has ${core.version}, another major`));
    } else {
      warnings.push(new UserError('FRB408', `${brings}; the shared copy ${core.version} is used`));
    }
  }
  return { errors, warnings };
}

/**
 * The files of a finished bundle once more: whatever way it got there, one copy of the API is in it.
 *
 * @throws UserError `FRB408`
 */
export function requireOneCore(inputs: readonly string[]): void {
  const copies = new Set(
    inputs.flatMap((input) => /^(.*(?:^|\/)@forgejo-runner\/core)\/(?:dist|src)\//.exec(input)?.[1] ?? []),
  );
  if (copies.size <= 1) return;
  throw new UserError(
    'FRB408',
    `the bundle has ${copies.size} copies of ${coreName}: ${[...copies].toSorted().join(', ')}`,
  );
}
