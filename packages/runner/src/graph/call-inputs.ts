import { availabilityAt, type ExpressionPlace } from '../contexts/availability.ts';
import { evaluateScalar } from '../expressions/interpolate.ts';
import type { Scope } from '../expressions/scope.ts';
import { isComposite, isValueList, toText, type Value, type ValueMap } from '../expressions/values.ts';
import { type Problem, quoted } from '../user-error.ts';
import type { InputDeclaration } from '../workflow/model.ts';
import { didYouMean } from '../workflow/read-shape.ts';
import type { Place, YamlMapping } from '../workflow/yaml-node.ts';

type CallInputType = 'string' | 'boolean' | 'number';

/** What an input is where the caller gives none, and the workflow no default. Source: GitHub's workflow syntax. */
const emptyValues: Readonly<Record<CallInputType, Value>> = { string: '', boolean: false, number: 0 };
const typeNames: Readonly<Record<CallInputType, string>> = {
  string: 'a text',
  boolean: 'true or false',
  number: 'a number',
};

/** How many names are shown of those that could have been meant. */
const namesShown = 20;
/** More than are shown of one error. */
const maxProblems = 100;

/** A call whose inputs are to be evaluated. */
export interface InputsOfCall {
  /** Where the call stands. */
  readonly at: Place;
  readonly with: YamlMapping | undefined;
  readonly declared: ReadonlyMap<string, InputDeclaration>;
}

/**
 * The `inputs` of a called workflow: what the caller gives in the types that the workflow declares, and defaults for
 * the rest. What does not fit goes to `problems`, with the places of both.
 *
 * @throws ExpressionError for an expression that is wrong.
 */
export async function callInputs(call: InputsOfCall, scope: Scope, problems: Problem[]): Promise<ValueMap> {
  const given = await givenInputs(call, scope, problems);
  const inputs = new Map<string, Value>();
  for (const [name, declared] of call.declared) {
    if (isEnough(problems)) break;
    const value = given.values.get(name) ?? (await defaultOf(name, declared, scopeOfDefault(scope, inputs), problems));
    if (value !== undefined) inputs.set(name, value);
    else if (given.mistyped.has(name)) continue;
    else if (declared.required) problems.push(...missing('input', name, call.at, declared.at));
    else inputs.set(name, emptyValues[typeOf(declared)]);
  }
  return inputs;
}

/** What a scope shows at a place of a workflow. */
export function scopeAt(place: ExpressionPlace, scope: Scope): Scope {
  const { contexts } = availabilityAt(place);
  return { ...scope, contexts: new Map([...scope.contexts].filter(([name]) => contexts.has(name))) };
}

/** What is said of an input or secret that a call does not give. */
export function missing(what: 'input' | 'secret', name: string, at: Place, declaredAt: Place): readonly Problem[] {
  return [
    { at, message: `expected the ${what} ${quoted(name)} for the workflow that is called, found none` },
    { at: declaredAt, message: `the ${what} ${quoted(name)} is required here` },
  ];
}

/** What is said of an input or secret that the called workflow does not know. */
export function unknown(what: 'input' | 'secret', name: string, at: Place, known: readonly string[]): Problem {
  const more = known.length > namesShown ? ` or ${known.length - namesShown} more` : '';
  const names = `one of the ${what}s ${known.slice(0, namesShown).map(quoted).join(', ')}${more}`;
  const expected = known.length === 0 ? `no ${what}` : names;
  return {
    at,
    message: `expected ${expected} of the workflow that is called, found ${quoted(name)}${didYouMean(name, known)}`,
  };
}

/** Finds the declared name that somebody means: names differ by more than case. */
export function nameFinder(declared: ReadonlyMap<string, unknown>): (name: string) => string | undefined {
  const lower = new Map([...declared.keys()].toReversed().map((name) => [name.toLowerCase(), name]));
  return (name) => (declared.has(name) ? name : lower.get(name.toLowerCase()));
}

/** Whether more problems would help nobody: a call may have as many wrong names as fit into a file. */
export function isEnough(problems: readonly Problem[]): boolean {
  return problems.length > maxProblems;
}

interface GivenInputs {
  readonly values: Map<string, Value>;
  /** Those that were told already. */
  readonly mistyped: Set<string>;
}

async function givenInputs(call: InputsOfCall, scope: Scope, problems: Problem[]): Promise<GivenInputs> {
  const given: GivenInputs = { values: new Map(), mistyped: new Set() };
  const own = scopeAt('job.with', scope);
  const find = nameFinder(call.declared);
  for (const { key, keyAt, value: node } of call.with?.entries ?? []) {
    if (isEnough(problems)) break;
    const name = find(key);
    const declared = name === undefined ? undefined : call.declared.get(name);
    if (name === undefined || declared === undefined) {
      problems.push(unknown('input', key, keyAt, [...call.declared.keys()]));
    } else if (node.kind === 'scalar') {
      const value = await evaluateScalar(node, own);
      const typed = asType(typeOf(declared), value);
      if (typed !== undefined) given.values.set(name, typed);
      else if (!isNothing(value)) {
        given.mistyped.add(name);
        problems.push(...mistyped(name, value, node.at, declared));
      }
    }
  }
  return given;
}

async function defaultOf(
  name: string,
  declared: InputDeclaration,
  scope: Scope,
  problems: Problem[],
): Promise<Value | undefined> {
  if (declared.default === undefined) return undefined;
  const value = await evaluateScalar(declared.default, scope);
  const typed = asType(typeOf(declared), value);
  if (typed === undefined && !isNothing(value)) problems.push(...mistyped(name, value, declared.default.at, declared));
  return typed;
}

function scopeOfDefault(scope: Scope, inputs: ValueMap): Scope {
  const own = scopeAt('on.inputs.default', scope);
  return { ...own, contexts: new Map([...own.contexts, ['inputs', inputs] as const]) };
}

/** The value in its type, or `undefined` where it is not of it. Texts of event payloads may stand for other types. */
export function asType(type: CallInputType, value: Value): Value | undefined {
  if (value === null || isComposite(value)) return undefined;
  if (type === 'string') return toText(value);
  if (typeof value === type) return value;
  if (typeof value !== 'string') return undefined;
  if (type === 'boolean') return value === 'true' ? true : value === 'false' ? false : undefined;
  return value.trim() !== '' && Number.isFinite(Number(value)) ? Number(value) : undefined;
}

/** What is empty counts as not given: expressions give it for all that is not there. */
export function isNothing(value: Value): boolean {
  return value === null || value === '';
}

/** What is said of a value that is not of the declared type. */
export function mistyped(name: string, value: Value, at: Place, declared: InputDeclaration): readonly Problem[] {
  const found = isComposite(value) ? (isValueList(value) ? 'a list' : 'an object') : quoted(toText(value));
  const type = typeOf(declared);
  return [
    { at, message: `expected the input ${quoted(name)} to be ${typeNames[type]}, found ${found}` },
    { at: declared.at, message: `the input ${quoted(name)} is declared here with the type ${type}` },
  ];
}

/** Its type among those that a call has. */
export function typeOf({ type }: InputDeclaration): CallInputType {
  return type === 'boolean' || type === 'number' ? type : 'string';
}
