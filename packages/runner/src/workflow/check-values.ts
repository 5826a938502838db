import { isReference, readActionReference } from '../steps/actions/action-reference.ts';
import { readShell } from '../steps/shells.ts';
import { quoted, UserError } from '../user-error.ts';
import type { ActionRuns, Step } from './model.ts';
import {
  didYouMean,
  type Findings,
  hasExpression,
  isNothing,
  type KnownKeys,
  knownKeys,
  readFields,
  reportWrongShape,
  scalarText,
} from './read-shape.ts';
import type { YamlNode, YamlScalar } from './yaml-node.ts';

/** Any server will do: only the form is looked at. */
const anyServer = { defaultUrl: 'https://server.invalid' };
/** Source: GitHub's metadata syntax, `runs.using`. */
const nodeVersions = ['node12', 'node16', 'node20', 'node24'];
const concurrencyKeys: KnownKeys = knownKeys(['group', 'cancel-in-progress']);
const environmentKeys: KnownKeys = knownKeys(['name', 'url', 'deployment']);
/** Source: GitHub's workflow syntax, `permissions`. */
const permissionKeys: KnownKeys = knownKeys(
  (
    'actions artifact-metadata attestations checks contents deployments discussions id-token issues models packages ' +
    'pages pull-requests repository-projects security-events statuses'
  ).split(' '),
);

/** What a run would stumble over in `uses`, `shell` and limits that hold no expression. */
export function checkStepValues({ does, timeoutMinutes }: Step, findings: Findings): void {
  checkAboveZero(timeoutMinutes, 'timeout-minutes', findings);
  if (does.kind === 'run') checkShell(does.shell, findings);
  if (does.kind !== 'uses' || hasExpression(does.uses)) return;
  const read = readActionReference(scalarText(does.uses), anyServer);
  if (!isReference(read)) findings.problems.push({ ...read, at: does.uses.at });
}

/** A shell that is known, or a command line with `{0}`. */
export function checkShell(shell: YamlScalar | undefined, findings: Findings): void {
  if (shell === undefined || hasExpression(shell) || scalarText(shell) === '') return;
  try {
    readShell(scalarText(shell), shell.at);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    findings.problems.push(...error.problems);
  }
}

/** A limit: `what` it is for goes into the message. */
export function checkAboveZero(node: YamlScalar | undefined, what: string, findings: Findings): void {
  if (node === undefined || hasExpression(node)) return;
  // What is no number at all was told when it was read.
  if (Number(node.value) <= 0) reportWrongShape(findings, node, `a number above 0 for ${quoted(what)}`);
}

/** `using` of an action. */
export function checkUsing(runs: ActionRuns, using: YamlNode | undefined, findings: Findings): void {
  const isKnown = runs.kind !== 'unknown' && (runs.kind !== 'node' || nodeVersions.includes(runs.using.toLowerCase()));
  if (isKnown || using === undefined || using.kind !== 'scalar') return;
  const known = ['composite', 'docker', 'go', 'sh', ...nodeVersions];
  const found = scalarText(using);
  const message = `expected one of ${known.join(', ')} for "using", found ${quoted(found)}${didYouMean(found, known)}`;
  findings.problems.push({ message, at: using.at });
}

/** `permissions`, `concurrency` and `environment`: they are the server's, which does not look at how they are written. */
export function checkServerKeys(find: (key: string) => YamlNode | undefined, findings: Findings): void {
  checkPermissions(find('permissions'), findings);
  const concurrency = find('concurrency');
  if (concurrency?.kind === 'mapping') {
    const fields = readFields(concurrency, concurrencyKeys, findings);
    if (!fields.has('group')) reportWrongShape(findings, concurrency, '"group" for "concurrency"');
  }
  const environment = find('environment');
  if (environment?.kind === 'mapping') readFields(environment, environmentKeys, findings);
}

function checkPermissions(node: YamlNode | undefined, findings: Findings): void {
  if (node === undefined || isNothing(node)) return;
  if (node.kind === 'mapping') {
    for (const { key, value } of readFields(node, permissionKeys, findings).values())
      checkWord(value, ['read', 'write', 'none'], key, findings);
  } else checkWord(node, ['read-all', 'write-all'], 'permissions', findings);
}

function checkWord(node: YamlNode, words: readonly string[], key: string, findings: Findings): void {
  if (node.kind !== 'scalar') return reportWrongShape(findings, node, `one of ${words.join(', ')} for ${quoted(key)}`);
  const found = scalarText(node);
  if (words.includes(found)) return;
  const message = `expected one of ${words.join(', ')} for ${quoted(key)}, found ${quoted(found)}${didYouMean(found, words)}`;
  findings.problems.push({ message, at: node.at });
}
