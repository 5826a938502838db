import { quoted, UserError } from '../user-error.ts';
import type { InputDeclaration, Job, Trigger, Workflow } from './model.ts';
import { readDefaults, readJob } from './read-job.ts';
import {
  defined,
  didYouMean,
  type Findings,
  isNothing,
  type KnownKeys,
  knownKeys,
  noFindings,
  readBoolean,
  readFields,
  readList,
  readMapping,
  readScalar,
  readScalarMap,
  readText,
  reportWrongShape,
  scalarText,
  shownProblems,
} from './read-shape.ts';
import type { YamlEntry, YamlMapping, YamlNode } from './yaml-node.ts';
import { parseYaml } from './yaml-source.ts';

const workflowKeys: KnownKeys = knownKeys(['name', 'run-name', 'on', 'env', 'defaults', 'jobs'], {
  permissions: 'changes nothing on this runner: the server decides what the token of a job may do',
  concurrency: 'changes nothing on this runner: the server decides which runs may overlap',
  'enable-openid-connect': 'changes nothing on this runner: the server decides whether a job gets an identity token',
});
const inputKeys: KnownKeys = knownKeys(['description', 'required', 'default', 'type', 'options', 'deprecationMessage']);
const inputTypes = ['string', 'boolean', 'number', 'choice', 'environment'] as const;

/**
 * Reads the text of a workflow. Lenient as a runner has to be that gets what its server accepted: a key it does not
 * know is a notice, a wrong shape an error.
 *
 * @throws {UserError} `FRR301` or `FRR303` from {@link parseYaml}, `FRR302` with the place of every wrong shape.
 */
export function parseWorkflow(text: string, file: string): Workflow {
  return readWorkflow(parseYaml(text, file), file);
}

/** The same for a document that was read already. */
export function readWorkflow(node: YamlNode, file: string): Workflow {
  const findings = noFindings('notice');
  const workflow = findWorkflow(node, file, findings);
  if (workflow !== undefined && findings.problems.length === 0) return workflow;
  throw new UserError('FRR302', {
    problems: shownProblems(findings.problems),
    next: 'run `forgejo-runner validate` on the file',
  });
}

/** What can be read of a workflow; whatever is wrong goes to the findings. */
export function findWorkflow(node: YamlNode, file: string, findings: Findings): Workflow | undefined {
  if (node.kind !== 'mapping') return reportWrongShape(findings, node, 'a mapping with "on" and "jobs"');
  // Authors keep anchors under keys of their own.
  const entries = node.entries.filter(({ key }) => !key.startsWith('x-'));
  const fields = readFields({ ...node, entries }, workflowKeys, findings);
  const jobs = readJobs(node, fields.get('jobs'), findings);
  const on = readTriggers(node, fields.get('on'), findings);
  return {
    file,
    on,
    inputs: readInputs(on, findings),
    jobs,
    defaults: readDefaults(fields.get('defaults'), findings),
    notices: findings.notices,
    ...defined({
      name: readText(fields.get('name'), findings),
      runName: readScalar(fields.get('run-name'), findings),
      env: readScalarMap(fields.get('env'), findings),
    }),
  };
}

function readJobs(workflow: YamlMapping, entry: YamlEntry | undefined, findings: Findings): ReadonlyMap<string, Job> {
  const jobs = new Map<string, Job>();
  const mapping = readMapping(entry, findings);
  if (entry === undefined || isNothing(entry.value) || mapping?.entries.length === 0) {
    findings.problems.push({
      message: 'expected at least one job in "jobs", found none',
      at: entry?.keyAt ?? workflow.at,
    });
  }
  for (const each of mapping?.entries ?? []) {
    const job = readJob(each, findings);
    if (job !== undefined) jobs.set(job.id, job);
  }
  return jobs;
}

/** `on` as a text, a list of texts, or a mapping from event to filters. */
function readTriggers(workflow: YamlMapping, entry: YamlEntry | undefined, findings: Findings): readonly Trigger[] {
  if (entry === undefined || isNothing(entry.value)) {
    findings.problems.push({ message: 'expected an event in "on", found none', at: entry?.keyAt ?? workflow.at });
    return [];
  }
  if (entry.value.kind === 'mapping') {
    return entry.value.entries.map(({ key, keyAt, value }) => {
      return { event: key, at: keyAt, ...(isNothing(value) ? {} : { filters: value }) };
    });
  }
  const items = entry.value.kind === 'sequence' ? entry.value.items : [entry.value];
  const triggers: Trigger[] = [];
  for (const item of items) {
    if (item.kind === 'scalar' && !isNothing(item)) triggers.push({ event: scalarText(item), at: item.at });
    else reportWrongShape(findings, item, 'the name of an event');
  }
  return triggers;
}

/** The inputs of `workflow_dispatch` and `workflow_call`; where both declare one, the first stands. */
function readInputs(on: readonly Trigger[], findings: Findings): ReadonlyMap<string, InputDeclaration> {
  const inputs = new Map<string, InputDeclaration>();
  for (const { event, filters } of on) {
    if (event !== 'workflow_dispatch' && event !== 'workflow_call') continue;
    if (filters === undefined) continue;
    if (filters.kind !== 'mapping') {
      reportWrongShape(findings, filters, `a mapping for ${quoted(event)}`);
      continue;
    }
    const entry = filters.entries.find(({ key }) => key === 'inputs');
    for (const input of readMapping(entry, findings)?.entries ?? []) {
      const declaration = readInput(input, findings);
      if (!inputs.has(input.key)) inputs.set(input.key, declaration);
    }
  }
  return inputs;
}

function readInput(entry: YamlEntry, findings: Findings): InputDeclaration {
  const at = entry.keyAt;
  const mapping = readMapping(entry, findings);
  if (mapping === undefined) return { type: 'string', required: false, options: [], at };
  const fields = readFields(mapping, inputKeys, findings);
  const required = readBoolean(fields.get('required'), findings);
  const options = readList(fields.get('options'), findings);
  return {
    type: readInputType(fields.get('type'), findings),
    required: String(required?.value).toLowerCase() === 'true',
    options: options.flatMap((option) => (option.kind === 'scalar' ? [scalarText(option)] : [])),
    at,
    ...defined({ default: readScalar(fields.get('default'), findings) }),
  };
}

function readInputType(entry: YamlEntry | undefined, findings: Findings): InputDeclaration['type'] {
  const written = readText(entry, findings);
  if (entry === undefined || written === undefined) return 'string';
  const type = inputTypes.find((candidate) => candidate === written);
  if (type !== undefined) return type;
  const message = `expected one of ${inputTypes.join(', ')}, found ${quoted(written)}${didYouMean(written, inputTypes)}`;
  findings.problems.push({ message, at: entry.value.at });
  return 'string';
}
