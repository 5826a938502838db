import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where the folders of jobs are that a runner ran for instances: the spool, and later the history. */
export function jobsFolder(env: Readonly<Record<string, string | undefined>>): string {
  const base = env['XDG_STATE_HOME'] || join(env['HOME'] ?? homedir(), '.local', 'state');
  return join(base, 'forgejo-runner', 'jobs');
}

/**
 * Name of the folder of a task, and of the job for people: the same for the same task, so that a task that comes twice is
 * recognised. Safe in any file system, whatever the connection is called.
 */
export function jobId(connection: string, taskId: string): string {
  return `${safeName(connection)}-${safeName(taskId)}`;
}

function safeName(name: string): string {
  const safe = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '')
    .slice(0, 40);
  if (safe === name && safe !== '') return safe;
  const digest = createHash('sha256').update(name).digest('hex').slice(0, 8);
  return safe === '' ? digest : `${safe}-${digest}`;
}
