import { quoted, UserError } from '../user-error.ts';
import type { Action, ActionInput, ActionOutput, ActionRuns } from './model.ts';
import {
  defined,
  type Findings,
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
  shownProblems,
} from './read-shape.ts';
import { readSteps } from './read-step.ts';
import type { Place, YamlEntry, YamlMapping, YamlNode, YamlScalar } from './yaml-node.ts';
import { parseYaml } from './yaml-source.ts';

const actionKeys: KnownKeys = knownKeys(['name', 'description', 'author', 'inputs', 'outputs', 'runs', 'branding']);
const inputKeys: KnownKeys = knownKeys(['description', 'required', 'default', 'deprecationMessage', 'type', 'options']);
const outputKeys: KnownKeys = knownKeys(['description', 'value']);
const compositeKeys: KnownKeys = knownKeys(['using', 'steps']);
const nodeKeys: KnownKeys = knownKeys(['using', 'main', 'pre', 'pre-if', 'post', 'post-if']);
const scriptKeys: KnownKeys = knownKeys(['using', 'main']);
const dockerKeys: KnownKeys = knownKeys([
  'using',
  'image',
  'entrypoint',
  'pre-entrypoint',
  'pre-if',
  'post-entrypoint',
  'post-if',
  'args',
  'env',
]);
/** What `runs` may have for a `using` that is not known here: all that any kind has. */
const anyRunsKeys: KnownKeys = new Map([...compositeKeys, ...nodeKeys, ...dockerKeys]);

/**
 * Reads the text of an `action.yml`, as leniently as `parseWorkflow` reads a workflow.
 *
 * @throws {UserError} `FRR301` or `FRR303` from {@link parseYaml}, `FRR302` with the place of every wrong shape.
 */
export function parseAction(text: string, file: string): Action {
  const findings = noFindings('notice');
  const action = findAction(parseYaml(text, file), file, findings);
  if (action !== undefined && findings.problems.length === 0) return action;
  throw new UserError('FRR302', {
    problems: shownProblems(findings.problems),
    next: 'run `forgejo-runner validate` on the file',
  });
}

/** What can be read of an action; whatever is wrong goes to the findings. */
export function findAction(node: YamlNode, file: string, findings: Findings): Action | undefined {
  if (node.kind !== 'mapping') return reportWrongShape(findings, node, 'a mapping with "runs"');
  const fields = readFields(node, actionKeys, findings);
  const runs = readRuns(node, fields.get('runs'), findings);
  if (runs === undefined) return undefined;
  return {
    file,
    runs,
    inputs: readInputs(fields.get('inputs'), findings),
    outputs: readOutputs(fields.get('outputs'), findings),
    notices: findings.notices,
    ...defined({
      name: readText(fields.get('name'), findings),
      description: readText(fields.get('description'), findings),
    }),
  };
}

function readInputs(entry: YamlEntry | undefined, findings: Findings): ReadonlyMap<string, ActionInput> {
  const inputs = new Map<string, ActionInput>();
  for (const input of readMapping(entry, findings)?.entries ?? []) {
    const mapping = readMapping(input, findings);
    const fields = mapping === undefined ? new Map<string, YamlEntry>() : readFields(mapping, inputKeys, findings);
    const required = readBoolean(fields.get('required'), findings);
    inputs.set(input.key, {
      required: String(required?.value).toLowerCase() === 'true',
      at: input.keyAt,
      ...defined({
        default: readScalar(fields.get('default'), findings),
        deprecationMessage: readText(fields.get('deprecationMessage'), findings),
      }),
    });
  }
  return inputs;
}

function readOutputs(entry: YamlEntry | undefined, findings: Findings): ReadonlyMap<string, ActionOutput> {
  const outputs = new Map<string, ActionOutput>();
  for (const output of readMapping(entry, findings)?.entries ?? []) {
    const mapping = readMapping(output, findings);
    const fields = mapping === undefined ? new Map<string, YamlEntry>() : readFields(mapping, outputKeys, findings);
    outputs.set(output.key, { at: output.keyAt, ...defined({ value: readScalar(fields.get('value'), findings) }) });
  }
  return outputs;
}

function readRuns(action: YamlMapping, entry: YamlEntry | undefined, findings: Findings): ActionRuns | undefined {
  const mapping = readMapping(entry, findings);
  if (entry === undefined || mapping === undefined) {
    if (entry === undefined || entry.value.kind === 'scalar') {
      findings.problems.push({ message: 'expected "runs" in an action, found none', at: entry?.keyAt ?? action.at });
    }
    return undefined;
  }
  const at = entry.keyAt;
  const using = readText(
    mapping.entries.find(({ key }) => key === 'using'),
    findings,
  );
  if (using === undefined) {
    findings.problems.push({ message: 'expected "using" in "runs", found none', at });
    return undefined;
  }
  const kind = using.toLowerCase();
  if (kind === 'composite') return readComposite(mapping, at, findings);
  if (kind === 'docker') return readDocker(mapping, at, findings);
  if (/^node\d+$/.test(kind)) return readNode(mapping, using, at, findings);
  if (kind === 'sh' || kind === 'go') return readScript(mapping, kind, at, findings);
  readFields(mapping, anyRunsKeys, findings);
  return { kind: 'unknown', using, at };
}

function readComposite(runs: YamlMapping, at: Place, findings: Findings): ActionRuns {
  const fields = readFields(runs, compositeKeys, findings);
  const steps = fields.get('steps');
  if (steps === undefined) {
    findings.problems.push({ message: 'expected "steps" in a composite action, found none', at });
  }
  return { kind: 'composite', steps: readSteps(steps, findings), at };
}

function readNode(runs: YamlMapping, using: string, at: Place, findings: Findings): ActionRuns | undefined {
  const fields = readFields(runs, nodeKeys, findings);
  const main = readText(fields.get('main'), findings);
  if (main === undefined) {
    findings.problems.push({ message: `expected "main" in an action that uses ${quoted(using)}, found none`, at });
    return undefined;
  }
  return {
    kind: 'node',
    using,
    main,
    at,
    ...defined({
      pre: readText(fields.get('pre'), findings),
      preIf: readScalar(fields.get('pre-if'), findings),
      post: readText(fields.get('post'), findings),
      postIf: readScalar(fields.get('post-if'), findings),
    }),
  };
}

function readScript(runs: YamlMapping, using: 'sh' | 'go', at: Place, findings: Findings): ActionRuns | undefined {
  const main = readText(readFields(runs, scriptKeys, findings).get('main'), findings);
  if (main !== undefined) return { kind: 'script', using, main, at };
  findings.problems.push({ message: `expected "main" in an action that uses ${quoted(using)}, found none`, at });
  return undefined;
}

function readDocker(runs: YamlMapping, at: Place, findings: Findings): ActionRuns | undefined {
  const fields = readFields(runs, dockerKeys, findings);
  const image = readText(fields.get('image'), findings);
  if (image === undefined) {
    findings.problems.push({ message: 'expected "image" in an action that uses "docker", found none', at });
    return undefined;
  }
  return {
    kind: 'docker',
    image,
    at,
    args: readArgs(fields.get('args'), findings),
    ...defined({
      entrypoint: readScalar(fields.get('entrypoint'), findings),
      preEntrypoint: readScalar(fields.get('pre-entrypoint'), findings),
      preIf: readScalar(fields.get('pre-if'), findings),
      postEntrypoint: readScalar(fields.get('post-entrypoint'), findings),
      postIf: readScalar(fields.get('post-if'), findings),
      env: readScalarMap(fields.get('env'), findings),
    }),
  };
}

function readArgs(entry: YamlEntry | undefined, findings: Findings): readonly YamlScalar[] {
  const args: YamlScalar[] = [];
  for (const item of readList(entry, findings)) {
    if (item.kind === 'scalar') args.push(item);
    else reportWrongShape(findings, item, 'a text for an argument');
  }
  return args;
}
