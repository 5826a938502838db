import { quoted, UserError } from '../user-error.ts';
import type { Job, Workflow } from './model.ts';
import { readDefaults, readJob } from './read-job.ts';
import {
  defined,
  type Findings,
  isNothing,
  type KnownKeys,
  knownKeys,
  noFindings,
  readFields,
  readMapping,
  readScalar,
  readScalarMap,
  readText,
  reportWrongShape,
  shownProblems,
} from './read-shape.ts';
import { readStartDeclarations, readTriggers } from './read-triggers.ts';
import type { YamlEntry, YamlMapping, YamlNode } from './yaml-node.ts';
import { parseYaml } from './yaml-source.ts';

const workflowKeys: KnownKeys = knownKeys(['name', 'run-name', 'on', 'env', 'defaults', 'jobs'], {
  permissions: 'changes nothing on this runner: the server decides what the token of a job may do',
  concurrency: 'changes nothing on this runner: the server decides which runs may overlap',
  description: 'changes nothing on this runner: it is for readers',
  'enable-email-notifications': 'changes nothing on this runner: the server sends mails',
  'enable-openid-connect': 'changes nothing on this runner: the server decides whether a job gets an identity token',
});

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
    ...readStartDeclarations(on, findings),
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
  // Contexts are looked up without case.
  const linesById = new Map<string, number>();
  const mapping = readMapping(entry, findings);
  if (entry === undefined || isNothing(entry.value) || mapping?.entries.length === 0) {
    findings.problems.push({
      message: 'expected at least one job in "jobs", found none',
      at: entry?.keyAt ?? workflow.at,
    });
  }
  for (const each of mapping?.entries ?? []) {
    const job = readJob(each, findings);
    if (job === undefined) continue;
    const id = job.id.toLowerCase();
    const before = linesById.get(id);
    if (before !== undefined) {
      const message = `expected each job id once, found ${quoted(job.id)} again; the job in line ${before} has it`;
      findings.problems.push({ message, at: job.at });
    } else linesById.set(id, job.at.line);
    jobs.set(job.id, job);
  }
  return jobs;
}
