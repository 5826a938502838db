import type { ExpressionPlace } from '../contexts/availability.ts';
import { type Expression, walkExpression } from '../expressions/expression.ts';
import { ExpressionError } from '../expressions/expression-error.ts';
import { parseTemplate } from '../expressions/template.ts';
import { readCallReference } from '../graph/call-reference.ts';
import { needsProblems } from '../graph/order-jobs.ts';
import { type Problem, quoted, UserError } from '../user-error.ts';
import { ExpressionChecker } from './check-expressions.ts';
import { checkTriggers } from './check-triggers.ts';
import { checkAboveZero, checkServerKeys, checkShell, checkStepValues, checkUsing } from './check-values.ts';
import type { Action, Job, Step, Workflow } from './model.ts';
import { findAction } from './parse-action.ts';
import { findWorkflow } from './parse-workflow.ts';
import {
  didYouMean,
  type Findings,
  hasExpression,
  knownKeys,
  noFindings,
  readFields,
  scalarText,
  type KnownKeys,
} from './read-shape.ts';
import type { YamlNode, YamlScalar } from './yaml-node.ts';
import { parseYaml } from './yaml-source.ts';

const containerKeys: KnownKeys = knownKeys([
  'image',
  'credentials',
  'env',
  'ports',
  'volumes',
  'options',
  'cmd',
  'command',
  'entrypoint',
]);
const credentialsKeys: KnownKeys = knownKeys(['username', 'password']);

/**
 * All that an author should put right in a workflow: wrong YAML, unknown keys, wrong shapes, expressions that cannot
 * be read or that use what there is not where they stand, and `needs` that lead nowhere. In the order of the text.
 */
export function strictCheckWorkflow(text: string, file: string): Problem[] {
  return collect(text, file, (node, findings) => {
    const workflow = findWorkflow(node, file, findings);
    if (workflow === undefined) return;
    findings.problems.push(...needsProblems(workflow.jobs));
    checkWorkflow(workflow, node, findings);
  });
}

/** The same for an `action.yml`. */
export function strictCheckAction(text: string, file: string): Problem[] {
  return collect(text, file, (node, findings) => {
    const action = findAction(node, file, findings);
    if (action !== undefined) checkAction(action, node, findings);
  });
}

function collect(text: string, file: string, check: (node: YamlNode, findings: Findings) => void): Problem[] {
  const findings = noFindings('problem');
  try {
    check(parseYaml(text, file), findings);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    findings.problems.push(...error.problems);
  }
  return findings.problems.toSorted((left, right) => {
    const byLine = (left.at?.line ?? Infinity) - (right.at?.line ?? Infinity);
    return byLine === 0 || Number.isNaN(byLine) ? (left.at?.column ?? 0) - (right.at?.column ?? 0) : byLine;
  });
}

function checkWorkflow(workflow: Workflow, node: YamlNode, findings: Findings): void {
  checkTriggers(workflow.on, findings);
  checkServerKeys((key) => memberOf(node, key), findings);
  checkShell(workflow.defaults.shell, findings);
  const expressions = new ExpressionChecker(findings.problems);
  expressions.tree(workflow.runName, 'run-name');
  expressions.tree(workflow.env, 'env');
  expressions.tree(workflow.defaults.shell, 'defaults.run');
  expressions.tree(workflow.defaults.workingDirectory, 'defaults.run');
  expressions.tree(memberOf(node, 'concurrency'), 'concurrency');
  for (const input of workflow.inputs.values()) expressions.tree(input.default, 'on.inputs.default');
  for (const { value } of workflow.callable?.outputs.values() ?? []) {
    expressions.tree(value, 'on.outputs.value');
    checkJobsOf(value, workflow, findings);
  }
  for (const job of workflow.jobs.values()) {
    const written = memberOf(memberOf(node, 'jobs'), job.id);
    checkServerKeys((key) => memberOf(written, key), findings);
    expressions.tree(memberOf(written, 'concurrency'), 'job.concurrency');
    expressions.tree(memberOf(written, 'environment'), 'job.environment');
    checkJob(job, expressions, findings);
  }
}

/** Outputs come from jobs of the workflow: another name gives nothing, and nobody is told. */
function checkJobsOf(value: YamlScalar, { jobs }: Workflow, findings: Findings): void {
  const known = [...jobs.keys()];
  for (const { root, placeAt } of expressionsIn(value)) {
    for (const node of walkExpression(root)) {
      if (node.kind !== 'index' || node.target.kind !== 'context' || node.target.name !== 'jobs') continue;
      const name = node.index.kind === 'literal' ? String(node.index.value) : undefined;
      if (name === undefined || known.some((id) => id.toLowerCase() === name.toLowerCase())) continue;
      const message = `expected a job of this workflow after "jobs", found ${quoted(name)}${didYouMean(name, known)}`;
      findings.problems.push({ message, at: placeAt(node.index.offset) });
    }
  }
}

/** The expressions of a scalar, as far as they can be read: what cannot be is told elsewhere. */
function expressionsIn(value: YamlScalar): readonly Expression[] {
  try {
    return parseTemplate(value).filter((part) => typeof part !== 'string');
  } catch (error) {
    if (error instanceof ExpressionError) return [];
    throw error;
  }
}

/** `uses` of a job. Where it has an expression, the run will tell. */
function checkCall({ call }: Job, findings: Findings): void {
  if (call === undefined || hasExpression(call.uses)) return;
  const reference = readCallReference(scalarText(call.uses));
  if ('message' in reference) findings.problems.push({ ...reference, at: call.uses.at });
}

/** What the model does not keep because it changes nothing on a runner. */
function memberOf(node: YamlNode | undefined, key: string): YamlNode | undefined {
  return node?.kind === 'mapping' ? node.entries.find((entry) => entry.key === key)?.value : undefined;
}

function checkJob(job: Job, expressions: ExpressionChecker, findings: Findings): void {
  const parts: readonly (readonly [YamlNode | undefined, ExpressionPlace])[] = [
    [job.name, 'job.name'],
    [job.runsOn, 'job.runs-on'],
    [job.env, 'job.env'],
    [job.defaults.shell, 'job.defaults.run'],
    [job.defaults.workingDirectory, 'job.defaults.run'],
    [job.strategy?.matrix, 'job.strategy'],
    [job.strategy?.failFast, 'job.strategy'],
    [job.strategy?.maxParallel, 'job.strategy'],
    [job.timeoutMinutes, 'job.timeout-minutes'],
    [job.continueOnError, 'job.continue-on-error'],
    [job.call?.uses, 'job.uses'],
    [job.call?.with, 'job.with'],
    [job.call?.secrets === 'inherit' ? undefined : job.call?.secrets, 'job.secrets'],
  ];
  for (const [node, place] of parts) expressions.tree(node, place);
  checkCall(job, findings);
  checkShell(job.defaults.shell, findings);
  checkAboveZero(job.timeoutMinutes, 'timeout-minutes', findings);
  checkAboveZero(job.strategy?.maxParallel, 'max-parallel', findings);
  expressions.condition(job.if, 'job.if');
  for (const output of job.outputs.values()) expressions.tree(output, 'job.outputs');
  checkContainer(job.container, 'job.container', expressions, findings);
  if (job.services?.kind === 'mapping') {
    for (const { value } of job.services.entries) checkContainer(value, 'job.services', expressions, findings);
  } else expressions.tree(job.services, 'job.services');
  for (const step of job.steps) {
    checkStep(step, 'step', expressions);
    checkStepValues(step, findings);
  }
}

function checkContainer(
  node: YamlNode | undefined,
  place: 'job.container' | 'job.services',
  expressions: ExpressionChecker,
  findings: Findings,
): void {
  if (node?.kind !== 'mapping') return expressions.tree(node, place);
  const fields = readFields(node, containerKeys, findings);
  if (!fields.has('image')) {
    findings.problems.push({ message: 'expected "image" for a container, found none', at: node.at });
  }
  const credentials = fields.get('credentials')?.value;
  if (credentials?.kind === 'mapping') readFields(credentials, credentialsKeys, findings);
  for (const { key, value } of fields.values()) {
    expressions.tree(value, key === 'env' || key === 'credentials' ? `${place}.${key}` : place);
  }
}

function checkStep(step: Step, place: 'step' | 'action.step', expressions: ExpressionChecker): void {
  expressions.condition(step.if, `${place}.if`);
  for (const node of [step.name, step.env, step.continueOnError, step.timeoutMinutes]) expressions.tree(node, place);
  const { does } = step;
  if (does.kind === 'run') {
    for (const node of [does.script, does.shell, does.workingDirectory]) expressions.tree(node, place);
  } else if (does.kind === 'uses') {
    for (const node of [does.uses, does.with]) expressions.tree(node, place);
  }
}

function checkAction(action: Action, node: YamlNode, findings: Findings): void {
  checkUsing(action.runs, memberOf(memberOf(node, 'runs'), 'using'), findings);
  const expressions = new ExpressionChecker(findings.problems);
  for (const input of action.inputs.values()) expressions.tree(input.default, 'action.inputs.default');
  for (const output of action.outputs.values()) {
    expressions.tree(output.value, 'action.outputs.value');
    if (output.value === undefined && action.runs.kind === 'composite') {
      findings.problems.push({
        message: 'expected "value" for an output of a composite action, found none',
        at: output.at,
      });
    }
  }
  const { runs } = action;
  if (runs.kind === 'composite') {
    for (const step of runs.steps) {
      checkStep(step, 'action.step', expressions);
      checkStepValues(step, findings);
      if (step.does.kind !== 'run' || step.does.shell !== undefined) continue;
      findings.problems.push({
        message: 'expected "shell" beside "run" in a composite action, found none',
        at: step.at,
      });
    }
  } else if (runs.kind === 'docker') {
    for (const node of [runs.entrypoint, runs.preEntrypoint, runs.postEntrypoint, runs.env, ...runs.args]) {
      expressions.tree(node, 'action.runs');
    }
  }
  if (runs.kind !== 'docker' && runs.kind !== 'node') return;
  expressions.condition(runs.preIf, 'action.runs.if');
  expressions.condition(runs.postIf, 'action.runs.if');
}
