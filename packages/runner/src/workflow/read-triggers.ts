import { quoted } from '../user-error.ts';
import type { CallDeclaration, InputDeclaration, OutputDeclaration, SecretDeclaration, Trigger } from './model.ts';
import {
  defined,
  didYouMean,
  type Findings,
  isNothing,
  type KnownKeys,
  knownKeys,
  readBoolean,
  readFields,
  readList,
  readMapping,
  readScalar,
  readText,
  reportWrongShape,
  scalarText,
} from './read-shape.ts';
import type { YamlEntry, YamlMapping } from './yaml-node.ts';

const callKeys: KnownKeys = knownKeys(['inputs', 'secrets', 'outputs']);
const inputKeys: KnownKeys = knownKeys(['description', 'required', 'default', 'type', 'options', 'deprecationMessage']);
const secretKeys: KnownKeys = knownKeys(['description', 'required']);
const outputKeys: KnownKeys = knownKeys(['description', 'value']);
const inputTypes = ['string', 'boolean', 'number', 'choice', 'environment'] as const;
/** Source: GitHub's workflow syntax, `on.workflow_call.inputs.<input_id>.type`. */
const callInputTypes = ['string', 'boolean', 'number'] as const;

/** What the events of a workflow take from those who start it. */
export interface StartDeclarations {
  /** Of `workflow_dispatch` and `workflow_call`; where both declare one, the first stands. */
  readonly inputs: ReadonlyMap<string, InputDeclaration>;
  readonly callable?: CallDeclaration;
}

/** `on` as a text, a list of texts, or a mapping from event to filters. */
export function readTriggers(
  workflow: YamlMapping,
  entry: YamlEntry | undefined,
  findings: Findings,
): readonly Trigger[] {
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

/** What `workflow_dispatch` and `workflow_call` declare. */
export function readStartDeclarations(on: readonly Trigger[], findings: Findings): StartDeclarations {
  const inputs = new Map<string, InputDeclaration>();
  let callable: CallDeclaration | undefined;
  for (const trigger of on) {
    const { event, filters } = trigger;
    if (event !== 'workflow_dispatch' && event !== 'workflow_call') continue;
    if (filters !== undefined && filters.kind !== 'mapping')
      reportWrongShape(findings, filters, `a mapping for ${quoted(event)}`);
    const mapping = filters?.kind === 'mapping' ? filters : undefined;
    if (event === 'workflow_call') callable = readCallDeclaration(trigger, mapping, findings);
    const declared = event === 'workflow_call' ? callable?.inputs : readDispatchInputs(mapping, findings);
    for (const [name, input] of declared ?? []) if (!inputs.has(name)) inputs.set(name, input);
  }
  return callable === undefined ? { inputs } : { inputs, callable };
}

function readDispatchInputs(
  mapping: YamlMapping | undefined,
  findings: Findings,
): ReadonlyMap<string, InputDeclaration> {
  const entry = mapping?.entries.find(({ key }) => key === 'inputs');
  return readEach(entry, findings, (input) => readInput(input, findings));
}

function readCallDeclaration(trigger: Trigger, mapping: YamlMapping | undefined, findings: Findings): CallDeclaration {
  const fields = mapping === undefined ? new Map<string, YamlEntry>() : readFields(mapping, callKeys, findings);
  return {
    at: trigger.at,
    inputs: readEach(fields.get('inputs'), findings, (entry) => readCallInput(entry, findings)),
    secrets: readEach(fields.get('secrets'), findings, (entry) => readSecret(entry, findings)),
    outputs: readEach(fields.get('outputs'), findings, (entry) => readOutput(entry, findings)),
  };
}

/** The members of a mapping by name, as far as they can be read. */
function readEach<T>(
  entry: YamlEntry | undefined,
  findings: Findings,
  read: (member: YamlEntry) => T | undefined,
): ReadonlyMap<string, T> {
  const members = new Map<string, T>();
  for (const member of readMapping(entry, findings)?.entries ?? []) {
    const value = read(member);
    if (value !== undefined) members.set(member.key, value);
  }
  return members;
}

function readInput(entry: YamlEntry, findings: Findings): InputDeclaration {
  const at = entry.keyAt;
  const mapping = readMapping(entry, findings);
  if (mapping === undefined) return { type: 'string', required: false, options: [], at };
  const fields = readFields(mapping, inputKeys, findings);
  const options = readList(fields.get('options'), findings);
  return {
    type: readInputType(fields.get('type'), findings),
    required: isRequired(fields, findings),
    options: options.flatMap((option) => (option.kind === 'scalar' ? [scalarText(option)] : [])),
    at,
    ...defined({ default: readScalar(fields.get('default'), findings) }),
  };
}

/** A server may have let through what is only wrong for those who call: the job runs, and its author is told. */
function readCallInput(entry: YamlEntry, findings: Findings): InputDeclaration {
  const input = readInput(entry, findings);
  const type = callInputTypes.find((candidate) => candidate === input.type);
  const written = entry.value.kind === 'mapping' && entry.value.entries.some(({ key }) => key === 'type');
  if (type !== undefined && written) return input;
  const found = type === undefined ? quoted(input.type) : 'none';
  const message = `expected one of ${callInputTypes.join(', ')} as the type of the input ${quoted(entry.key)} of a workflow that is called, found ${found}`;
  const finding = { message, at: entry.keyAt };
  if (findings.unknownKeys === 'problem') findings.problems.push(finding);
  else findings.notices.push({ ...finding, message: `${message}; it is taken as a string` });
  return { ...input, type: type ?? 'string' };
}

function readSecret(entry: YamlEntry, findings: Findings): SecretDeclaration {
  const mapping = readMapping(entry, findings);
  const fields = mapping === undefined ? new Map<string, YamlEntry>() : readFields(mapping, secretKeys, findings);
  return { required: isRequired(fields, findings), at: entry.keyAt };
}

function readOutput(entry: YamlEntry, findings: Findings): OutputDeclaration | undefined {
  const mapping = readMapping(entry, findings);
  const fields = mapping === undefined ? new Map<string, YamlEntry>() : readFields(mapping, outputKeys, findings);
  const value = readScalar(fields.get('value'), findings);
  if (value !== undefined) return { value, at: entry.keyAt };
  if (mapping !== undefined || isNothing(entry.value))
    findings.problems.push({
      message: `expected "value" for the output ${quoted(entry.key)}, found none`,
      at: entry.keyAt,
    });
  return undefined;
}

function isRequired(fields: ReadonlyMap<string, YamlEntry>, findings: Findings): boolean {
  const required = readBoolean(fields.get('required'), findings);
  return String(required?.value).toLowerCase() === 'true';
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
