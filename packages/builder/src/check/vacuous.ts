import { ts } from 'ts-morph';
import { memberTypes, type Pair, signaturesOf, sameTypeArguments } from './type-pairs.ts';

/** A place where a check proves nothing, because a type there is `any`. */
export interface Vacuous {
  /** How to get there from the package: `factory.create(…)`. */
  readonly path: string;
  /** `unresolved`: it comes from something that was not found. `any`: the author wrote so. `api`: it is ours. */
  readonly kind: 'unresolved' | 'any' | 'api';
}

/**
 * Walks what a package offers beside what the API asks for, and finds where one of them is `any`. An `any` that the
 * author wrote is harmless where the package only takes it: it accepts whatever the API passes.
 */
export function findVacuous(offered: ts.Type, asked: ts.Type, checker: ts.TypeChecker): Vacuous | undefined {
  const seen = new Set<string>();
  const visit = (pair: Pair): Vacuous | undefined => {
    const { source, target, path } = pair;
    if (isUnresolved(source)) return { path, kind: pair.isOffered ? 'unresolved' : 'api' };
    if (isUnresolved(target)) return { path, kind: pair.isOffered ? 'api' : 'unresolved' };
    if (isAny(source) || isAny(target)) {
      const isHarmless = !pair.isOffered || (target.flags & (ts.TypeFlags.Any | ts.TypeFlags.Unknown)) !== 0;
      return isHarmless ? undefined : { path, kind: 'any' };
    }
    const key = `${idOf(source)} ${idOf(target)} ${pair.isOffered}`;
    if (seen.has(key)) return undefined;
    seen.add(key);
    for (const inner of innerPairs(pair, checker)) {
      const found = visit(inner);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return visit({ source: offered, target: asked, path: 'factory', isOffered: true });
}

function innerPairs(pair: Pair, checker: ts.TypeChecker): readonly Pair[] {
  const { source, target } = pair;
  if (source.isUnion() || target.isUnion()) {
    const sources = source.isUnion() ? source.types : [source];
    const targets = target.isUnion() ? target.types : [target];
    return sources.flatMap((one) =>
      targets
        .filter((other) => checker.isTypeAssignableTo(one, other))
        .map((other) => ({ ...pair, source: one, target: other })),
    );
  }
  const generic = sameTypeArguments(pair, checker);
  if (generic !== undefined) return generic;
  return [...signaturesOf(pair, checker), ...memberTypes(pair, checker).flatMap((member) => member.pair ?? [])];
}

function isAny(type: ts.Type): boolean {
  return (type.flags & ts.TypeFlags.Any) !== 0;
}

/** The type of what was not found: it has the flag of `any`, and no public mark but its name. */
function isUnresolved(type: ts.Type): boolean {
  const { intrinsicName } = type as ts.Type & { readonly intrinsicName?: string };
  return isAny(type) && (intrinsicName === 'error' || intrinsicName === 'unresolved');
}

function idOf(type: ts.Type): number {
  return (type as ts.Type & { readonly id: number }).id;
}
