const table = {
  FRR101: 'the command line is wrong',
  FRR102: 'a file cannot be read',
  FRR103: 'a file with variables or an event is malformed',
  FRR104: 'a repository cannot be cloned',
  FRR201: 'the configuration is wrong',
  FRR202: 'a label is wrong',
  FRR203: 'a backend, its configuration or one of its labels cannot be used',
  FRR204: 'the runner runs already',
  FRR301: 'the workflow is not valid YAML',
  FRR302: 'the workflow or action does not follow its syntax',
  FRR303: 'the YAML document is too large or too deeply nested',
  FRR304: 'the jobs of the workflow do not fit together',
  FRR305: 'no workflow, job or event matches',
  FRR401: 'an expression is wrong',
  FRR501: 'no label of this runner fits the job',
  FRR502: 'the backend of the label lacks what the job needs',
  FRR503: 'the job is planned wrongly',
  FRR504: 'a workflow cannot be called',
  FRR505: 'the administrator of the runner does not allow what the job asks for',
  FRR601: 'a step cannot run',
  FRR602: 'an action cannot be used',
  FRR603: 'a command file is malformed',
  FRR701: 'the instance cannot be reached',
  FRR702: 'the instance refuses this runner',
  FRR703: 'the address does not lead to Forgejo Actions',
  FRR704: 'an answer of the instance cannot be used',
  FRR705: 'the instance failed',
  FRR706: 'the instance is too old for this',
  FRR707: 'a task of the instance cannot be used',
  FRR708: 'the runner is for one job only',
  FRR801: 'the cache of jobs cannot be used',
};

/** A code of {@link errorCodes}. */
export type ErrorCode = keyof typeof table;

/**
 * Every code that the runner prints, and what it means. `docs/reference/errors.md` has a row for each; a test compares
 * the two both ways.
 */
export const errorCodes: Readonly<Record<ErrorCode, string>> = table;
