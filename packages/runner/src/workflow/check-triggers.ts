import { quoted } from '../user-error.ts';
import { cronProblem } from './check-cron.ts';
import type { Trigger } from './model.ts';
import {
  didYouMean,
  type Findings,
  isNothing,
  type KnownKeys,
  knownKeys,
  readFields,
  reportWrongShape,
  scalarText,
} from './read-shape.ts';
import type { YamlEntry, YamlMapping, YamlNode } from './yaml-node.ts';

const branches = ['branches', 'branches-ignore'];
const paths = ['paths', 'paths-ignore'];
const pullRequest =
  'assigned unassigned labeled unlabeled opened edited closed reopened synchronize converted_to_draft ready_for_review ' +
  'locked unlocked milestoned demilestoned review_requested review_request_removed auto_merge_enabled ' +
  'auto_merge_disabled enqueued dequeued';
const issues =
  'opened edited deleted transferred pinned unpinned closed reopened assigned unassigned labeled unlabeled locked ' +
  'unlocked milestoned demilestoned typed untyped';
const edits = 'created edited deleted';

/**
 * The events that start workflows, each with the activities that `types` may name; undefined where it takes none, and
 * empty where any.
 *
 * Source: GitHub's events that trigger workflows, and what Forgejo's runner validates with.
 */
const activities: ReadonlyMap<string, string | undefined> = new Map([
  ['branch_protection_rule', edits],
  ['check_run', 'created rerequested completed requested_action'],
  ['check_suite', 'completed'],
  ['create', undefined],
  ['delete', undefined],
  ['deployment', undefined],
  ['deployment_status', undefined],
  [
    'discussion',
    `${edits} transferred pinned unpinned labeled unlabeled locked unlocked category_changed answered unanswered`,
  ],
  ['discussion_comment', edits],
  ['fork', undefined],
  ['gollum', undefined],
  ['issue_comment', edits],
  ['issues', issues],
  ['label', edits],
  ['merge_group', 'checks_requested'],
  ['milestone', `${edits} closed opened`],
  ['page_build', undefined],
  ['project', `${edits} closed reopened`],
  ['project_card', `${edits} moved converted`],
  ['project_column', `${edits} updated moved`],
  ['public', undefined],
  ['pull_request', pullRequest],
  ['pull_request_comment', edits],
  ['pull_request_review', 'submitted edited dismissed'],
  ['pull_request_review_comment', edits],
  ['pull_request_target', pullRequest],
  ['push', undefined],
  ['registry_package', 'published updated'],
  ['release', 'published unpublished created edited deleted prereleased released'],
  ['repository_dispatch', ''],
  ['schedule', undefined],
  ['status', undefined],
  ['watch', 'started'],
  ['workflow_call', undefined],
  ['workflow_dispatch', undefined],
  ['workflow_run', 'requested completed in_progress'],
]);

/** Filters beside `types`, of the events that have some. */
const filters: ReadonlyMap<string, readonly string[]> = new Map([
  ['merge_group', branches],
  ['pull_request', [...branches, ...paths]],
  ['pull_request_target', [...branches, ...paths]],
  ['push', [...branches, ...paths, 'tags', 'tags-ignore']],
  ['workflow_dispatch', ['inputs']],
  ['workflow_run', [...branches, 'workflows']],
]);

const scheduleKeys: KnownKeys = knownKeys(['cron', 'timezone']);

/** Events that nobody sends, and filters that nobody reads: the workflow would never start, and nobody be told why. */
export function checkTriggers(triggers: readonly Trigger[], findings: Findings): void {
  for (const { event, at, filters: node } of triggers) {
    if (!activities.has(event)) {
      const hint = didYouMean(event, [...activities.keys()]);
      findings.problems.push({ message: `expected an event that starts workflows, found ${quoted(event)}${hint}`, at });
    } else if (node === undefined || event === 'workflow_call') continue;
    else if (event === 'schedule') checkSchedule(node, findings);
    else if (node.kind === 'mapping') checkFilters(event, node, findings);
    // The reader of inputs has said so of this one.
    else if (event !== 'workflow_dispatch') reportWrongShape(findings, node, `a mapping for ${quoted(event)}`);
  }
}

function checkFilters(event: string, mapping: YamlMapping, findings: Findings): void {
  const types = activities.get(event);
  const known = knownKeys([...(types === undefined ? [] : ['types']), ...(filters.get(event) ?? [])]);
  const fields = readFields(mapping, known, findings);
  for (const entry of fields.values()) {
    if (entry.key === 'inputs') continue;
    const texts = checkTexts(entry, findings);
    if (entry.key === 'types' && types !== undefined && types !== '')
      for (const text of texts) checkActivity(text, types.split(' '), findings);
    const other = fields.get(`${entry.key}-ignore`);
    if (other === undefined) continue;
    const message = `expected either ${quoted(entry.key)} or ${quoted(other.key)} for an event, found both`;
    findings.problems.push({ message, at: other.keyAt });
  }
}

/** A text or a list of texts. */
function checkTexts({ key, value }: YamlEntry, findings: Findings): readonly YamlNode[] {
  const items = value.kind === 'sequence' ? value.items : [value];
  for (const item of items) {
    if (item.kind !== 'scalar' || isNothing(item))
      reportWrongShape(findings, item, `a text or a list of texts for ${quoted(key)}`);
  }
  return items;
}

function checkActivity(node: YamlNode, known: readonly string[], findings: Findings): void {
  if (node.kind !== 'scalar' || isNothing(node) || known.includes(scalarText(node))) return;
  const message = `expected one of ${known.join(', ')} for "types", found ${quoted(scalarText(node))}`;
  findings.problems.push({ message: message + didYouMean(scalarText(node), known), at: node.at });
}

function checkSchedule(node: YamlNode, findings: Findings): void {
  if (node.kind !== 'sequence') return reportWrongShape(findings, node, 'a list for "schedule"');
  for (const item of node.items) {
    if (item.kind !== 'mapping') {
      reportWrongShape(findings, item, 'a mapping with "cron"');
      continue;
    }
    const cron = readFields(item, scheduleKeys, findings).get('cron')?.value;
    if (cron === undefined || cron.kind !== 'scalar' || isNothing(cron)) {
      reportWrongShape(findings, cron ?? item, 'a text for "cron"');
      continue;
    }
    const message = cronProblem(scalarText(cron));
    if (message !== undefined) findings.problems.push({ message, at: cron.at });
  }
}
