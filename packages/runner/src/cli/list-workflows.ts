import { orderJobs } from '../graph/order-jobs.ts';
import type { Job, Workflow } from '../workflow/model.ts';
import { formatTable } from './format-table.ts';

/** What `exec --list` prints: a line for each job, in the order in which they run. */
export function listWorkflows(workflows: readonly Workflow[]): string {
  const rows = workflows.flatMap((workflow) =>
    orderJobs(workflow.jobs).flatMap((level, stage) => level.map((job) => jobRow(workflow, job, stage))),
  );
  return formatTable([
    ['STAGE', 'JOB ID', 'JOB NAME', 'WORKFLOW', 'FILE', 'EVENTS'],
    ...rows.map((row) => row.map(plain)),
  ]);
}

function jobRow(workflow: Workflow, job: Job, stage: number): readonly string[] {
  const name = job.name === undefined ? job.id : String(job.name.value);
  const events = workflow.on.map(({ event }) => event).join(',');
  return [String(stage), job.id, name, workflow.name ?? '-', workflow.file, events];
}

/** A name is a stranger's: it must not write to the terminal of the reader. */
function plain(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, ' ');
}
