import { quoted } from '../user-error.ts';
import type { Job, RunDefaults, Strategy, WorkflowCall } from './model.ts';
import {
  defined,
  type Findings,
  hasExpression,
  isNothing,
  type KnownKeys,
  knownKeys,
  readBoolean,
  readFields,
  readMapping,
  readNumber,
  readScalar,
  readScalarMap,
  reportWrongShape,
  scalarText,
} from './read-shape.ts';
import { idRule, isId, readSteps } from './read-step.ts';
import type { Place, YamlEntry, YamlMapping, YamlNode, YamlScalar } from './yaml-node.ts';

const jobKeys: KnownKeys = knownKeys(
  [
    'name',
    'needs',
    'if',
    'runs-on',
    'env',
    'defaults',
    'outputs',
    'strategy',
    'timeout-minutes',
    'continue-on-error',
    'container',
    'services',
    'steps',
    'uses',
    'with',
    'secrets',
  ],
  {
    permissions: 'changes nothing on this runner: the server decides what the token of a job may do',
    environment: 'changes nothing on this runner: there are no deployment environments',
    concurrency: 'changes nothing on this runner: the server decides which runs may overlap',
    'cancel-timeout-minutes': 'changes nothing on this runner: the administrator sets how long cancelling may take',
    'enable-openid-connect': 'changes nothing on this runner: the server decides whether a job gets an identity token',
    snapshot: 'changes nothing on this runner: there are no custom images to save',
  },
);
const callKeys = new Set(['name', 'needs', 'if', 'strategy', 'uses', 'with', 'secrets', 'runs-on']);
const strategyKeys: KnownKeys = knownKeys(['matrix', 'fail-fast', 'max-parallel']);
const defaultsKeys: KnownKeys = knownKeys(['run']);
const runDefaultsKeys: KnownKeys = knownKeys(['shell', 'working-directory']);

/** Reads one entry of `jobs`. Undefined where it is no mapping; everything wrong is a finding. */
export function readJob(entry: YamlEntry, workflow: Findings): Job | undefined {
  const findings: Findings = { ...workflow, notices: [] };
  const { key: id, keyAt: at, value: node } = entry;
  if (!isId(id)) findings.problems.push({ message: `expected ${idRule}, found ${quoted(id)}`, at });
  if (node.kind !== 'mapping') return reportWrongShape(findings, node, `a mapping for the job ${quoted(id)}`);
  const fields = readFields(node, jobKeys, findings);
  const call = readCall(fields, findings);
  const runsOn = readRunsOn(fields.get('runs-on'), findings);
  if (call === undefined) reportMissing(id, at, fields, findings);
  else reportMisplaced(fields, findings);
  return {
    id,
    at,
    needs: readNeeds(fields.get('needs'), findings),
    defaults: readDefaults(fields.get('defaults'), findings),
    outputs: readOutputs(fields.get('outputs'), findings),
    steps: readSteps(fields.get('steps'), findings),
    notices: findings.notices,
    ...defined({
      call,
      runsOn,
      name: readScalar(fields.get('name'), findings),
      if: readScalar(fields.get('if'), findings),
      env: readScalarMap(fields.get('env'), findings),
      strategy: readStrategy(fields.get('strategy'), findings),
      timeoutMinutes: readNumber(fields.get('timeout-minutes'), findings),
      continueOnError: readBoolean(fields.get('continue-on-error'), findings),
      container: readContainer(fields.get('container'), findings),
      services: readServices(fields.get('services'), findings),
    }),
  };
}

function reportMissing(id: string, at: Place, fields: ReadonlyMap<string, YamlEntry>, findings: Findings): void {
  const runsOn = fields.get('runs-on');
  if (runsOn === undefined || isNothing(runsOn.value)) {
    findings.problems.push({ message: `expected "runs-on" in the job ${quoted(id)}, found none`, at });
  }
  if (!fields.has('steps')) {
    findings.problems.push({ message: `expected "steps" or "uses" in the job ${quoted(id)}, found neither`, at });
  }
  for (const key of ['with', 'secrets']) {
    const entry = fields.get(key);
    if (entry === undefined) continue;
    const message = `${quoted(key)} belongs to a job with "uses" and changes nothing here`;
    if (findings.unknownKeys === 'problem') findings.problems.push({ message, at: entry.keyAt });
    else findings.notices.push({ message, at: entry.keyAt });
  }
}

/** A job that calls a workflow has no steps of its own; the other keys for running it change nothing there. */
function reportMisplaced(fields: ReadonlyMap<string, YamlEntry>, findings: Findings): void {
  for (const entry of fields.values()) {
    if (callKeys.has(entry.key)) continue;
    const message = `expected no ${quoted(entry.key)} in a job that calls a workflow, found one`;
    if (entry.key === 'steps' || findings.unknownKeys === 'problem')
      findings.problems.push({ message, at: entry.keyAt });
    else
      findings.notices.push({
        message: `${quoted(entry.key)} changes nothing in a job that calls a workflow`,
        at: entry.keyAt,
      });
  }
}

function readCall(fields: ReadonlyMap<string, YamlEntry>, findings: Findings): WorkflowCall | undefined {
  const uses = readScalar(fields.get('uses'), findings);
  if (uses === undefined) return undefined;
  const given = readScalarMap(fields.get('with'), findings);
  // One expression may stand for the inputs of an action, not for those of a workflow.
  if (given?.kind === 'scalar') reportWrongShape(findings, given, 'a mapping for "with"');
  return { uses, secrets: readCallSecrets(fields.get('secrets'), findings), ...defined({ with: asMapping(given) }) };
}

function asMapping(node: YamlNode | undefined): YamlMapping | undefined {
  return node?.kind === 'mapping' ? node : undefined;
}

function readCallSecrets(entry: YamlEntry | undefined, findings: Findings): WorkflowCall['secrets'] {
  if (entry === undefined || isNothing(entry.value)) return undefined;
  if (entry.value.kind === 'scalar' && entry.value.value === 'inherit') return 'inherit';
  if (entry.value.kind === 'mapping') return asMapping(readScalarMap(entry, findings));
  return reportWrongShape(findings, entry.value, '"inherit" or a mapping for "secrets"');
}

/** A text, a list of texts, or a mapping of `group` and `labels`. */
function readRunsOn(entry: YamlEntry | undefined, findings: Findings): YamlNode | undefined {
  if (entry === undefined || isNothing(entry.value)) return undefined;
  const node = entry.value;
  if (node.kind === 'scalar') return node;
  if (node.kind === 'sequence') {
    for (const item of node.items) if (item.kind !== 'scalar') reportWrongShape(findings, item, 'a label');
    if (node.items.length === 0) reportWrongShape(findings, node, 'at least one label for "runs-on"');
    return node;
  }
  for (const { value } of readFields(node, knownKeys(['group', 'labels']), findings).values()) {
    if (value.kind === 'mapping') reportWrongShape(findings, value, 'a text or a list of texts');
  }
  return node;
}

function readNeeds(entry: YamlEntry | undefined, findings: Findings): Job['needs'] {
  if (entry === undefined || isNothing(entry.value)) return [];
  const items = entry.value.kind === 'sequence' ? entry.value.items : [entry.value];
  const needs: { id: string; at: Place }[] = [];
  for (const item of items) {
    if (item.kind === 'scalar' && !isNothing(item)) needs.push({ id: scalarText(item), at: item.at });
    else reportWrongShape(findings, item, 'the id of a job for "needs"');
  }
  return needs;
}

/** `defaults` of a workflow or a job. */
export function readDefaults(entry: YamlEntry | undefined, findings: Findings): RunDefaults {
  const outer = readMapping(entry, findings);
  const run = outer === undefined ? undefined : readFields(outer, defaultsKeys, findings).get('run');
  const inner = readMapping(run, findings);
  if (inner === undefined) return {};
  const fields = readFields(inner, runDefaultsKeys, findings);
  return defined({
    shell: readScalar(fields.get('shell'), findings),
    workingDirectory: readScalar(fields.get('working-directory'), findings),
  });
}

function readOutputs(entry: YamlEntry | undefined, findings: Findings): ReadonlyMap<string, YamlScalar> {
  const outputs = new Map<string, YamlScalar>();
  for (const output of readMapping(entry, findings)?.entries ?? []) {
    const value = readScalar(output, findings);
    if (value !== undefined) outputs.set(output.key, value);
  }
  return outputs;
}

function readStrategy(entry: YamlEntry | undefined, findings: Findings): Strategy | undefined {
  if (entry === undefined) return undefined;
  const mapping = readMapping(entry, findings);
  if (mapping === undefined) return undefined;
  const fields = readFields(mapping, strategyKeys, findings);
  return {
    at: entry.keyAt,
    ...defined({
      matrix: readMatrix(fields.get('matrix'), findings),
      failFast: readBoolean(fields.get('fail-fast'), findings),
      maxParallel: readNumber(fields.get('max-parallel'), findings),
    }),
  };
}

/** A matrix is a mapping of lists; an expression may stand for the whole, for a list and for an item. */
function readMatrix(entry: YamlEntry | undefined, findings: Findings): YamlNode | undefined {
  if (entry === undefined || isNothing(entry.value)) return undefined;
  if (hasExpression(entry.value)) return entry.value;
  const mapping = readMapping(entry, findings);
  for (const { key, value } of mapping?.entries ?? []) {
    if (value.kind !== 'sequence' && !hasExpression(value))
      reportWrongShape(findings, value, `a list for ${quoted(key)}`);
  }
  return mapping;
}

function readContainer(entry: YamlEntry | undefined, findings: Findings): YamlNode | undefined {
  if (entry === undefined || isNothing(entry.value)) return undefined;
  if (entry.value.kind !== 'sequence') return entry.value;
  return reportWrongShape(findings, entry.value, `an image or a mapping for ${quoted(entry.key)}`);
}

function readServices(entry: YamlEntry | undefined, findings: Findings): YamlNode | undefined {
  if (entry === undefined || isNothing(entry.value)) return undefined;
  if (hasExpression(entry.value)) return entry.value;
  const mapping = readMapping(entry, findings);
  for (const service of mapping?.entries ?? []) readContainer(service, findings);
  return mapping;
}
