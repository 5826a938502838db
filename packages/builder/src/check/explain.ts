import { ts } from 'ts-morph';
import { type Member, memberPath, memberTypes, type Pair, sameTypeArguments, signaturesOf } from './type-pairs.ts';

/** The innermost reason why a type does not fit. */
export interface Explanation {
  /** `FRB404`: the package gives less than the API expects. `FRB405`: it expects more than the API passes. */
  readonly code: 'FRB404' | 'FRB405';
  readonly message: string;
  /** Where the package declares what is wrong. */
  readonly declaration: ts.Declaration | undefined;
}

const depthLimit = 16;

/**
 * Follows a mismatch to its leaf. The compiler reports the whole chain from the outside in; whoever has to act needs
 * the last link.
 */
export function explainMismatch(offered: ts.Type, asked: ts.Type, checker: ts.TypeChecker, api: string): Explanation {
  const words = { checker, api };
  const root: Pair = { source: offered, target: asked, path: 'factory', isOffered: true };
  return explain(root, words, 0) ?? ofType(root, words);
}

interface Words {
  readonly checker: ts.TypeChecker;
  readonly api: string;
}

function explain(pair: Pair, words: Words, depth: number): Explanation | undefined {
  const { checker } = words;
  if (depth > depthLimit || checker.isTypeAssignableTo(pair.source, pair.target)) return undefined;
  const whole = wholeOf(pair, checker);
  const generic = sameTypeArguments(whole, checker);
  if (generic !== undefined) return firstOf(generic, words, depth) ?? ofType(whole, words);
  const count = tooManyParameters(whole, words);
  if (count !== undefined) return count;
  const inSignature = firstOf(signaturesOf(whole, checker), words, depth);
  if (inSignature !== undefined) return inSignature;
  const members = memberTypes(whole, checker);
  const missing = members.find((member) => member.pair === undefined && !member.isOptional);
  // A string has none of the members of an object: then its type says more than the first of them.
  if (missing !== undefined && isObject(whole.source)) return ofMissing(missing, whole, words);
  return (
    firstOf(
      members.flatMap((member) => member.pair ?? []),
      words,
      depth,
    ) ?? ofType(whole, words)
  );
}

function firstOf(pairs: readonly Pair[], words: Words, depth: number): Explanation | undefined {
  for (const pair of pairs) {
    const found = explain(pair, words, depth + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Without `undefined` and the like where that leaves one type: an optional member is about the member. */
function wholeOf(pair: Pair, checker: ts.TypeChecker): Pair {
  const target = checker.getNonNullableType(pair.target);
  const source = checker.getNonNullableType(pair.source);
  const isStillWrong = !checker.isTypeAssignableTo(source, target);
  return isStillWrong ? { ...pair, source, target } : pair;
}

function tooManyParameters(pair: Pair, { checker, api }: Words): Explanation | undefined {
  const [given] = pair.source.getCallSignatures();
  const [expected] = pair.target.getCallSignatures();
  if (given === undefined || expected === undefined || !pair.isOffered) return undefined;
  const required = given.parameters.filter((parameter) => !isOptional(parameter));
  if (required.length <= expected.parameters.length) return undefined;
  const extra = required.slice(expected.parameters.length).map((parameter) => parameter.name);
  const passes = checker.signatureToString(expected);
  return {
    code: 'FRB405',
    message: `${pair.path} expects the argument ${extra.join(', ')}, which API ${api} does not pass (API ${api}: ${cut(passes)})`,
    declaration: given.getDeclaration(),
  };
}

function ofMissing(member: Member, pair: Pair, { checker, api }: Words): Explanation {
  const type = cut(checker.typeToString(checker.getTypeOfSymbol(member.symbol)));
  const name = memberPath(member.name).replace(/^\./, '');
  if (!pair.isOffered) {
    return {
      code: 'FRB405',
      message: `${pair.path} expects ${name}: ${type}, which API ${api} does not pass`,
      declaration: member.symbol.declarations?.[0],
    };
  }
  return {
    code: 'FRB404',
    message: `${pair.path} has no "${name}" (API ${api}: ${name}: ${type})`,
    declaration: declarationOf(pair.source),
  };
}

function ofType(pair: Pair, { checker, api }: Words): Explanation {
  const given = cut(checker.typeToString(pair.source));
  const expected = cut(checker.typeToString(pair.target));
  if (!pair.isOffered) {
    return {
      code: 'FRB405',
      message: `${pair.path} expects ${expected}, API ${api} passes ${given}`,
      declaration: declarationOf(pair.target),
    };
  }
  return {
    code: 'FRB404',
    message: `${pair.path} is ${given}, API ${api} expects ${expected}`,
    declaration: declarationOf(pair.source),
  };
}

function isObject(type: ts.Type): boolean {
  return (type.flags & (ts.TypeFlags.Object | ts.TypeFlags.Intersection)) !== 0;
}

function isOptional(parameter: ts.Symbol): boolean {
  const declaration = parameter.valueDeclaration;
  if (declaration === undefined || !ts.isParameter(declaration)) return false;
  return (
    declaration.questionToken !== undefined ||
    declaration.initializer !== undefined ||
    declaration.dotDotDotToken !== undefined
  );
}

function declarationOf(type: ts.Type): ts.Declaration | undefined {
  return (type.aliasSymbol ?? type.getSymbol())?.declarations?.[0];
}

function cut(text: string): string {
  const flat = text.replaceAll(/\s+/g, ' ');
  return flat.length > 160 ? `${flat.slice(0, 160)}…` : flat;
}
