import type { Problem } from '../user-error.ts';
import type { CallDeclaration, WorkflowCall } from '../workflow/model.ts';
import { hasExpression } from '../workflow/read-shape.ts';
import { asType, isEnough, isNothing, missing, mistyped, nameFinder, typeOf, unknown } from './call-inputs.ts';

/** What is wrong with a call for certain, without a run: values that have expressions are taken to fit. */
export function callProblems(call: WorkflowCall, callable: CallDeclaration): readonly Problem[] {
  const problems: Problem[] = [];
  const given = new Set([...checkInputs(call, callable, problems), ...checkSecrets(call, callable, problems)]);
  for (const [name, { required, default: otherwise, at }] of callable.inputs) {
    if (required && otherwise === undefined && !given.has(`input ${name}`))
      problems.push(...missing('input', name, call.uses.at, at));
  }
  for (const [name, { required, at }] of call.secrets === 'inherit' ? [] : callable.secrets) {
    if (required && !given.has(`secret ${name}`)) problems.push(...missing('secret', name, call.uses.at, at));
  }
  return problems;
}

function checkInputs(call: WorkflowCall, { inputs }: CallDeclaration, problems: Problem[]): readonly string[] {
  const find = nameFinder(inputs);
  const given: string[] = [];
  for (const { key, keyAt, value: node } of call.with?.entries ?? []) {
    const name = find(key);
    const declared = name === undefined ? undefined : inputs.get(name);
    if (name !== undefined) given.push(`input ${name}`);
    if (isEnough(problems)) continue;
    if (name === undefined || declared === undefined) problems.push(unknown('input', key, keyAt, [...inputs.keys()]));
    else if (node.kind === 'scalar' && !hasExpression(node) && !isNothing(node.value)) {
      if (asType(typeOf(declared), node.value) === undefined)
        problems.push(...mistyped(name, node.value, node.at, declared));
    }
  }
  return given;
}

function checkSecrets(call: WorkflowCall, { secrets }: CallDeclaration, problems: Problem[]): readonly string[] {
  const find = nameFinder(secrets);
  const given: string[] = [];
  for (const { key, keyAt } of typeof call.secrets === 'object' ? call.secrets.entries : []) {
    const name = find(key);
    if (name !== undefined) given.push(`secret ${name}`);
    else if (!isEnough(problems)) problems.push(unknown('secret', key, keyAt, [...secrets.keys()]));
  }
  return given;
}
