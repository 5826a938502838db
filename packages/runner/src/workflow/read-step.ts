import { quoted } from '../user-error.ts';
import type { RunScript, Step, UseAction } from './model.ts';
import {
  defined,
  type Findings,
  isNothing,
  knownKeys,
  readBoolean,
  readFields,
  readNumber,
  readScalar,
  readScalarMap,
  readText,
  reportWrongShape,
  type KnownKeys,
} from './read-shape.ts';
import type { YamlEntry, YamlMapping, YamlNode } from './yaml-node.ts';

const stepKeys: KnownKeys = knownKeys([
  'id',
  'name',
  'if',
  'uses',
  'run',
  'with',
  'env',
  'shell',
  'working-directory',
  'continue-on-error',
  'timeout-minutes',
]);

/** What GitHub allows for the id of a job or a step. */
const idPattern = /^[A-Za-z_][A-Za-z0-9_-]*$/;

/** Whether a text can be the id of a job or a step. */
export function isId(text: string): boolean {
  return idPattern.test(text) && text.length <= 100;
}

/** What {@link isId} accepts, for messages. */
export const idRule = 'an id of at most 100 letters, digits, "-" and "_" that starts with a letter or "_"';

/** The steps of a job or of a composite action. Ids are unique in one list, and are compared without case. */
export function readSteps(entry: YamlEntry | undefined, findings: Findings): readonly Step[] {
  if (entry === undefined) return [];
  if (entry.value.kind !== 'sequence') {
    reportWrongShape(findings, entry.value, 'a list for "steps"');
    return [];
  }
  const steps: Step[] = [];
  const linesById = new Map<string, number>();
  for (const [index, item] of entry.value.items.entries()) {
    const step = readStep(item, index, findings);
    if (step === undefined) continue;
    steps.push(step);
    const id = step.id?.toLowerCase();
    const before = id === undefined ? undefined : linesById.get(id);
    if (before !== undefined) {
      const message = `expected each step id once, found ${quoted(step.id ?? '')} again; the step in line ${before} has it`;
      findings.problems.push({ message, at: step.at });
    } else if (id !== undefined) linesById.set(id, step.at.line);
  }
  return steps;
}

function readStep(node: YamlNode, index: number, findings: Findings): Step | undefined {
  if (node.kind !== 'mapping') return reportWrongShape(findings, node, 'a mapping for a step');
  const fields = readFields(node, stepKeys, findings);
  const id = readText(fields.get('id'), findings);
  if (id !== undefined && !isId(id)) {
    findings.problems.push({
      message: `expected ${idRule}, found ${quoted(id)}`,
      at: fields.get('id')?.value.at ?? node.at,
    });
  }
  const does = readDeed(node, fields, findings);
  if (does === undefined) return undefined;
  return {
    index,
    at: node.at,
    does,
    ...defined({
      id: id === '' ? undefined : id,
      name: readScalar(fields.get('name'), findings),
      if: readScalar(fields.get('if'), findings),
      env: readScalarMap(fields.get('env'), findings),
      continueOnError: readBoolean(fields.get('continue-on-error'), findings),
      timeoutMinutes: readNumber(fields.get('timeout-minutes'), findings),
    }),
  };
}

/** The one of `run` and `uses` that a step has. */
function readDeed(
  node: YamlMapping,
  fields: ReadonlyMap<string, YamlEntry>,
  findings: Findings,
): RunScript | UseAction | undefined {
  const run = readScalar(fields.get('run'), findings);
  const uses = readScalar(fields.get('uses'), findings);
  if (run !== undefined && uses !== undefined) {
    const at = fields.get('uses')?.keyAt ?? node.at;
    findings.problems.push({ message: 'expected either "run" or "uses" in a step, found both', at });
    return undefined;
  }
  if (run !== undefined) return readRun(run, fields, findings);
  if (uses !== undefined) return readUse(uses, fields, findings);
  const written = fields.get('run') ?? fields.get('uses');
  if (written === undefined || isNothing(written.value)) {
    findings.problems.push({ message: 'expected "run" or "uses" in a step, found neither', at: node.at });
  }
  return undefined;
}

function readRun(script: RunScript['script'], fields: ReadonlyMap<string, YamlEntry>, findings: Findings): RunScript {
  remarkMisplaced(fields.get('with'), '"with" belongs to a step with "uses" and changes nothing here', findings);
  return {
    kind: 'run',
    script,
    ...defined({
      shell: readScalar(fields.get('shell'), findings),
      workingDirectory: readScalar(fields.get('working-directory'), findings),
    }),
  };
}

function readUse(uses: UseAction['uses'], fields: ReadonlyMap<string, YamlEntry>, findings: Findings): UseAction {
  for (const key of ['shell', 'working-directory']) {
    remarkMisplaced(fields.get(key), `${quoted(key)} belongs to a step with "run" and changes nothing here`, findings);
  }
  return { kind: 'uses', uses, ...defined({ with: readScalarMap(fields.get('with'), findings) }) };
}

function remarkMisplaced(entry: YamlEntry | undefined, message: string, findings: Findings): void {
  if (entry === undefined) return;
  const found = { message, at: entry.keyAt };
  if (findings.unknownKeys === 'problem') findings.problems.push(found);
  else findings.notices.push(found);
}
