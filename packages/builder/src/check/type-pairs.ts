import { ts } from 'ts-morph';

/** A type that is given where another is expected, somewhere inside what a package offers. */
export interface Pair {
  /** What is given. */
  readonly source: ts.Type;
  /** What is expected. */
  readonly target: ts.Type;
  /** How to get there: `factory.create(…).health`. */
  readonly path: string;
  /** The package gives and the API expects; false inside parameters, where it is the other way round. */
  readonly isOffered: boolean;
}

/** A member that is expected, with what is given for it, if anything. */
export interface Member {
  readonly name: string;
  readonly symbol: ts.Symbol;
  readonly isOptional: boolean;
  readonly pair: Pair | undefined;
}

/** The members that the target asks for. */
export function memberTypes(pair: Pair, checker: ts.TypeChecker): readonly Member[] {
  if ((pair.target.flags & ts.TypeFlags.Object) === 0 && !pair.target.isIntersection()) return [];
  return checker.getPropertiesOfType(pair.target).map((symbol) => {
    const { name } = symbol;
    const given = checker.getPropertyOfType(pair.source, name);
    const isOptional = (symbol.flags & ts.SymbolFlags.Optional) !== 0;
    const path = `${pair.path}${memberPath(name)}`;
    const inner =
      given === undefined
        ? undefined
        : { ...pair, path, source: checker.getTypeOfSymbol(given), target: checker.getTypeOfSymbol(symbol) };
    return { name, symbol, isOptional, pair: inner };
  });
}

/** Parameters and result of a function that is given for another. */
export function signaturesOf(pair: Pair, checker: ts.TypeChecker): readonly Pair[] {
  const [given] = pair.source.getCallSignatures();
  const [expected] = pair.target.getCallSignatures();
  if (given === undefined || expected === undefined) return [];
  const parameters = given.parameters.flatMap((parameter, index) => {
    const passed = expected.parameters[index];
    if (passed === undefined) return [];
    return {
      // Turned round: the caller gives the argument.
      source: checker.getTypeOfSymbol(passed),
      target: checker.getTypeOfSymbol(parameter),
      path: `${pair.path}(${passed.name})`,
      isOffered: !pair.isOffered,
    };
  });
  const result = {
    ...pair,
    source: given.getReturnType(),
    target: expected.getReturnType(),
    path: `${pair.path}(…)`,
  };
  return [...parameters, result];
}

/** For two instances of one generic type, such as `Promise`, the pairs of their arguments. */
export function sameTypeArguments(pair: Pair, checker: ts.TypeChecker): readonly Pair[] | undefined {
  const source = reference(pair.source);
  const target = reference(pair.target);
  if (source === undefined || target === undefined || source.target !== target.target) return undefined;
  const given = checker.getTypeArguments(source);
  return checker.getTypeArguments(target).flatMap((expected, index) => {
    const type = given[index];
    return type === undefined ? [] : { ...pair, source: type, target: expected };
  });
}

function reference(type: ts.Type): ts.TypeReference | undefined {
  const isReference = ((type as ts.ObjectType).objectFlags & ts.ObjectFlags.Reference) !== 0;
  return (type.flags & ts.TypeFlags.Object) !== 0 && isReference ? (type as ts.TypeReference) : undefined;
}

/** A member as it is written after an expression. Unique symbols have no name that anybody would recognise. */
export function memberPath(name: string): string {
  const symbol = /^__@(\w+)@/.exec(name)?.[1];
  if (symbol !== undefined) return `[Symbol.${symbol}]`;
  return /^[A-Za-z_$][\w$]*$/.test(name) ? `.${name}` : `["${name}"]`;
}
