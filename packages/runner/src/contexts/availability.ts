/** Where an expression may stand, by the key of the workflow or action that holds it. */
export type ExpressionPlace =
  | 'run-name'
  | 'env'
  | 'concurrency'
  | 'on.inputs.default'
  | 'on.outputs.value'
  | 'defaults.run'
  | 'job.name'
  | 'job.if'
  | 'job.runs-on'
  | 'job.concurrency'
  | 'job.environment'
  | 'job.strategy'
  | 'job.env'
  | 'job.defaults.run'
  | 'job.continue-on-error'
  | 'job.timeout-minutes'
  | 'job.container'
  | 'job.container.credentials'
  | 'job.container.env'
  | 'job.services'
  | 'job.services.credentials'
  | 'job.services.env'
  | 'job.outputs'
  | 'job.uses'
  | 'job.with'
  | 'job.secrets'
  | 'step.if'
  | 'step'
  | 'action.inputs.default'
  | 'action.outputs.value'
  | 'action.step.if'
  | 'action.step'
  | 'action.runs.if'
  | 'action.runs';

/** What an expression may use at one place. Names are in lower case. */
export interface Availability {
  readonly contexts: ReadonlySet<string>;
  readonly functions: ReadonlySet<string>;
}

/** Forgejo's names for the `github` context; what may use one of them may use all. */
export const githubAliases: readonly string[] = ['github', 'forgejo', 'forge', 'gitea'];

const status = 'success failure cancelled always';
const job = 'github needs strategy matrix vars inputs';
const running = `${job} job runner env secrets`;
const step = `${running} steps`;
const actionStep = 'github inputs strategy matrix steps job runner env';

/**
 * Contexts, and functions beside the built-in ones, by place.
 *
 * Source: the table of context availability in GitHub's contexts reference; steps as Forgejo's runner evaluates them,
 * which takes expressions in `uses` and `shell` as well, `secrets` in `if`, and `env` in the `env` of workflow and job.
 */
const table: Readonly<Record<ExpressionPlace, readonly [contexts: string, functions?: string]>> = {
  'run-name': ['github inputs vars'],
  env: ['github secrets inputs vars env'],
  concurrency: ['github inputs vars'],
  'on.inputs.default': ['github inputs vars'],
  'on.outputs.value': ['github jobs vars inputs'],
  'defaults.run': ['github inputs vars env'],
  'job.name': [job],
  'job.if': ['github needs vars inputs secrets', status],
  'job.runs-on': [job],
  'job.concurrency': [job],
  'job.environment': [job],
  'job.strategy': ['github needs vars inputs'],
  'job.env': [`${job} secrets env`],
  'job.defaults.run': [`${job} env`],
  'job.continue-on-error': [job],
  'job.timeout-minutes': [job],
  'job.container': [job],
  'job.container.credentials': [`${job} env secrets`],
  'job.container.env': [running],
  'job.services': [job],
  'job.services.credentials': [`${job} env secrets`],
  'job.services.env': [running],
  'job.outputs': [step],
  'job.uses': [job],
  'job.with': [job],
  'job.secrets': [`${job} secrets`],
  'step.if': [step, `${status} hashfiles`],
  step: [step, 'hashfiles'],
  'action.inputs.default': ['github strategy matrix job runner', 'hashfiles'],
  'action.outputs.value': [actionStep],
  'action.step.if': [actionStep, `${status} hashfiles`],
  'action.step': [actionStep, 'hashfiles'],
  'action.runs.if': ['github strategy matrix job runner env inputs steps', `${status} hashfiles`],
  'action.runs': [actionStep],
};

/** Made when asked for: a check asks for every expression, and made anew each time they were a tenth of its time. */
const made = new Map<ExpressionPlace, Availability>();

/** What an expression may use at a place. */
export function availabilityAt(place: ExpressionPlace): Availability {
  const known = made.get(place);
  if (known !== undefined) return known;
  const [contexts, functions = ''] = table[place];
  const names = contexts.split(' ').flatMap((name) => (name === 'github' ? githubAliases : [name]));
  const available = {
    contexts: new Set(names),
    functions: new Set(functions.split(' ').filter((name) => name !== '')),
  };
  made.set(place, available);
  return available;
}
