import { randomInt } from 'node:crypto';
import { availableParallelism, hostname } from 'node:os';
import { resolve } from 'node:path';
import { readSecretUrl } from '../config/secret-source.ts';
import { readContainerPolicy } from '../daemon/container-policy.ts';
import { observedDriver } from '../daemon/observed-driver.ts';
import { openProcessLog } from '../daemon/process-log.ts';
import type { WorkflowSources } from '../graph/called-workflow.ts';
import { defaultGraceMs } from '../job/job-limits.ts';
import { chooseWorkflows } from '../local/choose-workflows.ts';
import { copyDirectory } from '../local/copy-directory.ts';
import { detectEvent } from '../local/detect-event.ts';
import { lookUpLabels } from '../local/exec-labels.ts';
import { findWorkflows } from '../local/find-workflows.ts';
import { localGithub } from '../local/local-github.ts';
import { openLocalActions } from '../local/open-local-actions.ts';
import { type LocalServices, openLocalServices } from '../local/open-local-services.ts';
import { openLocalBackends } from '../local/open-local-backends.ts';
import { ownWorkflows } from '../local/own-workflows.ts';
import { hasUnicode, openRunPrinter, type RunPrinter } from '../local/print-run.ts';
import { provideCheckout } from '../local/provide-checkout.ts';
import { remoteWorkflows } from '../local/remote-workflows.ts';
import { runWorkflow, type RunSettings } from '../local/run-workflow.ts';
import { workflowInputs } from '../local/workflow-inputs.ts';
import { Masker } from '../log/masker.ts';
import { runnerVersion } from '../runner-version.ts';
import type { ActionStore } from '../steps/actions/action-store.ts';
import type { Job, Workflow } from '../workflow/model.ts';
import type { CommandContext } from './command-context.ts';
import { ineffectiveFlags } from './docker-flags.ts';
import { type ExecInputs, labelsOf, readExecInputs } from './exec-inputs.ts';
import type { ExecOptions } from './exec-options.ts';
import { exitCodes } from './exit-codes.ts';
import { listWorkflows } from './list-workflows.ts';

/** `exec`: runs the workflows of a folder on this machine, doing the server's part itself. */
export async function runExec(options: ExecOptions, context: CommandContext): Promise<number> {
  const { io } = context;
  const directory = resolve(io.cwd, options.directory);
  const found = await findWorkflows(resolve(directory, options.workflows), { recurse: options.recurse, cwd: io.cwd });
  if (options.list) {
    io.stdout.write(listWorkflows(found));
    return exitCodes.success;
  }
  const warning = ineffectiveFlags(options, context.factories);
  if (warning !== undefined) io.stderr.write(`${warning}\n`);
  const event = detectEvent(found, options);
  const workflows = chooseWorkflows(found, event, options.job);
  const inputs = await readExecInputs(options, context, { directory, event });
  const printer = openRunPrinter({
    stdout: io.stdout,
    color: hasColors(io),
    unicode: hasUnicode(io.env, process.platform),
    verbose: options.debug,
    json: options.json,
    jobNames: workflows.flatMap(({ jobs }) => [...jobs.values()].flatMap(longestNames)),
  });
  const failed = await runAll(workflows, inputs, printer, options, context);
  await printer.close();
  if (io.signal.aborted) throw io.signal.reason;
  return failed ? exitCodes.failure : exitCodes.success;
}

/** Names as long as those of the job will be: a matrix puts its values behind, a call the names of any number of jobs. */
function longestNames({ id, strategy, call }: Job): readonly string[] {
  const name = strategy?.matrix === undefined ? id : `${id} (some values)`;
  return call === undefined ? [name] : [`${name} / a job`, `${name} / another job`];
}

/** Source: no-color.org, and the variable that Node and others know for the opposite. */
function hasColors({ stdout, env }: CommandContext['io']): boolean {
  if (env['NO_COLOR']) return false;
  if (env['FORCE_COLOR'] !== undefined) return env['FORCE_COLOR'] !== '0';
  return stdout.isTTY === true && env['TERM'] !== 'dumb';
}

/** Runs the workflows one after the other, and tells whether a job failed. */
async function runAll(
  workflows: readonly Workflow[],
  inputs: ExecInputs,
  printer: RunPrinter,
  options: ExecOptions,
  context: CommandContext,
): Promise<boolean> {
  const { io } = context;
  const masker = new Masker();
  if (!options.insecureSecrets) for (const secret of inputs.secrets.values()) masker.add(secret);
  const log = openProcessLog({
    stream: io.stderr,
    level: options.debug ? 'debug' : 'warn',
    mask: (text) => masker.mask(text),
  });
  const labels = labelsOf(inputs.config, options, context);
  const { policy, warnings } = readContainerPolicy(inputs.config);
  for (const warning of warnings) log.warn(warning);
  const driver = context.dockerDriver === undefined ? {} : { driver: observedDriver(context.dockerDriver) };
  const jobFolders = new Set<string>();
  await using actions = openLocalActions({ defaultUrl: options.defaultActionsUrl, env: io.env, log });
  await using backends = await openLocalBackends(
    {
      labels,
      config: inputs.config,
      factories: context.factories,
      ...driver,
      log,
      env: io.env,
      addMask: (secret) => masker.add(secret),
    },
    io.signal,
  );
  await using services = await openLocalServices({
    config: inputs.config.cache,
    serverUrl: inputs.repository.serverUrl,
    env: io.env,
    log,
    readSecret: (url, subject) => readSecretUrl(url, { env: io.env, cwd: io.cwd, subject }),
  });
  const prepare = options.noSkipCheckout ? asItIs : provideCheckout;
  const called = workflowSources(inputs, actions.store, prepare, context);
  let hasFailed = false;
  for (const workflow of workflows) {
    if (io.signal.aborted) break;
    const settings: RunSettings = {
      ...runContext(workflow, inputs),
      labels: lookUpLabels(backends.opened.labels, labels.fallback),
      maxTimeoutMs: inputs.config.runner.timeoutMs,
      maxJobs: availableParallelism(),
      policy,
      isDryRun: options.dryRun,
      actions: actions.source,
      signal: io.signal,
      workflows: called,
      openReport: (job) => printer.job(job.id, job.name),
      runtime: {
        owner: backends.owner,
        ...driver,
        log,
        masker,
        graceMs: defaultGraceMs,
        hurry: io.hurry,
        runner: { name: hostname(), version: runnerVersion, debug: isDebug(options, inputs), envs: inputs.envs },
        services: services.open,
        fillWorkspace: (place, signal) => copyDirectory(inputs.directory, { ...options, jobFolders }, place, signal),
      },
    };
    const results = await runWorkflow(prepare(workflow), options.job, settings);
    hasFailed ||= [...results.values()].some(({ result }) => result === 'failure' || result === 'cancelled');
  }
  await keepArtifacts(services, printer, options, context);
  return hasFailed;
}

/** Artifacts end with the run, unless somebody named a folder for them. */
async function keepArtifacts(
  { artifacts }: LocalServices,
  printer: RunPrinter,
  options: ExecOptions,
  { io }: CommandContext,
): Promise<void> {
  const paths = options.artifacts === undefined ? [] : await artifacts.save(resolve(io.cwd, options.artifacts));
  for (const [index, { name, size }] of artifacts.list().entries()) {
    const path = paths[index];
    printer.artifact({ name, size, ...(path === undefined ? {} : { path }) });
  }
}

function asItIs(workflow: Workflow): Workflow {
  return workflow;
}

/** Where workflows come from that jobs call: the folder of the run, and repositories. */
function workflowSources(
  inputs: ExecInputs,
  store: ActionStore,
  prepare: (workflow: Workflow) => Workflow,
  { io }: CommandContext,
): WorkflowSources {
  const { directory, repository } = inputs;
  return {
    own: ownWorkflows({ directory, cwd: io.cwd, prepare }),
    openRemote: remoteWorkflows({ store, serverUrl: repository.serverUrl, prepare, ...tokenOf(inputs) }),
  };
}

function tokenOf({ secrets }: ExecInputs): { readonly token?: string } {
  const token = secrets.get('FORGEJO_TOKEN') ?? secrets.get('GITHUB_TOKEN');
  return token === undefined ? {} : { token };
}

function runContext(
  workflow: Workflow,
  inputs: ExecInputs,
): Pick<RunSettings, 'github' | 'inputs' | 'secrets' | 'vars'> {
  return {
    github: localGithub({ ...inputs, ...tokenOf(inputs), workflow, runId: String(randomInt(1, 2 ** 40)) }),
    inputs: workflowInputs(workflow, inputs.payload),
    secrets: inputs.secrets,
    vars: inputs.vars,
  };
}

function isDebug(options: ExecOptions, inputs: ExecInputs): boolean {
  const names = ['ACTIONS_STEP_DEBUG', 'ACTIONS_RUNNER_DEBUG'];
  // Where both are set, the secret decides, as GitHub documents it.
  return options.debug || names.some((name) => (inputs.secrets.get(name) ?? inputs.vars.get(name)) === 'true');
}
