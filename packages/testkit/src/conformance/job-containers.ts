import {
  BackendError,
  type ContainerSpec,
  dockerDrivers,
  type ExecutionEnvironment,
  type Healthcheck,
  type JobContainerSpec,
  type JobPlan,
  type ServiceContainer,
  type ServiceContainerSpec,
  type StepContainer,
  type StepContainerSpec,
} from '@forgejo-runner/core';
import { captureOutput } from '../capture.ts';
import { expectSame, show } from './expectations.ts';
import { plainSpec } from './gates.ts';
import type { Stage } from './stage.ts';
import { type Ran, type Workplace, workplaceAt } from './workplace.ts';

/** The containers of one job, whoever makes them: the backend, or the Docker driver at the endpoint it hands out. */
export interface JobContainers {
  readonly environment: ExecutionEnvironment;
  readonly job: (spec: JobContainerSpec) => Promise<Workplace>;
  readonly service: (spec: ServiceContainerSpec) => Promise<ServiceContainer>;
  readonly step: (spec: StepContainerSpec) => Promise<StepContainer>;
  readonly build: NonNullable<ExecutionEnvironment['buildImage']>;
  /** The machine, where the job has no container of its own. */
  readonly machine: () => Workplace;
}

/** No check of its own and none of the image. */
export const noHealthcheck: Healthcheck = { test: 'none', intervalMs: 0, timeoutMs: 0, retries: 0, startPeriodMs: 0 };

/** The check that the image brings. */
export const imageHealthcheck: Healthcheck = { ...noHealthcheck, test: 'image' };

/** A job container of an image that is on the machine. */
export function jobSpec(image: string, over: Partial<ContainerSpec> = {}): JobContainerSpec {
  return { ...plainSpec, image, ...over, kind: 'job' };
}

/** A service of an image that is on the machine. */
export function serviceSpec(image: string, id: string, over: Partial<ServiceContainerSpec> = {}): ServiceContainerSpec {
  return { ...plainSpec, image, healthcheck: noHealthcheck, aliases: [id], ...over, id, kind: 'service' };
}

/** The container of a step of an image that is on the machine. */
export function stepSpec(image: string, over: Partial<StepContainerSpec> = {}): StepContainerSpec {
  return { ...plainSpec, image, stepId: '1', workdir: '', ...over, kind: 'step' };
}

/** Makes an environment for a plan, and says who makes its containers. */
export async function openJobContainers(stage: Stage, plan: Partial<JobPlan>): Promise<JobContainers> {
  const request = stage.request({ plan: { services: [], stepContainers: 'none', ...plan } });
  const environment = await stage.createEnvironment({ name: request.name, plan: request.plan });
  const makers = await makersOf(stage, environment, request).catch(async (error: unknown) => {
    await environment.remove(stage.context());
    throw error;
  });
  const keep = <T extends AsyncDisposable>(made: T): T => {
    stage.defer(() => made[Symbol.asyncDispose]());
    return made;
  };
  return {
    environment,
    machine: () => stage.at(environment, request),
    job: async (spec) => {
      const container = keep(await makers.createJobContainer(spec, stage.context()));
      const info = container.info === undefined ? {} : { info: container.info };
      return workplaceAt({
        environment,
        target: container,
        request,
        shell: '/bin/sh',
        context: stage.context,
        ...info,
      });
    },
    service: async (spec) => keep(await makers.createServiceContainer(spec, stage.context())),
    step: async (spec) => keep(await makers.createStepContainer(spec, stage.context())),
    build: makers.buildImage,
  };
}

async function lacking(): Promise<never> {
  throw new BackendError('unsupported', 'the environment has no such method');
}

type Makers = Required<
  Pick<ExecutionEnvironment, 'createJobContainer' | 'createServiceContainer' | 'createStepContainer' | 'buildImage'>
>;

async function makersOf(
  stage: Stage,
  environment: ExecutionEnvironment,
  request: ReturnType<Stage['request']>,
): Promise<Makers> {
  if (stage.capabilities.containers.via !== 'docker-endpoint') {
    const { createJobContainer, createServiceContainer, createStepContainer, buildImage } = environment;
    return {
      createJobContainer: createJobContainer ?? lacking,
      createServiceContainer: createServiceContainer ?? lacking,
      createStepContainer: createStepContainer ?? lacking,
      buildImage: buildImage ?? lacking,
    };
  }
  const driver = dockerDrivers.get()?.driver;
  if (driver === undefined) throw stage.skip('needs a Docker driver: import @forgejo-runner/backend-docker as well');
  const endpoint = await environment.dockerEndpoint?.(stage.context());
  if (endpoint === undefined) throw new BackendError('internal', 'expected an endpoint, found none');
  await stage.options.images?.loadInto?.(endpoint);
  const { info } = environment;
  const opened = await driver.open({ endpoint, environment: request, info }, stage.context());
  stage.defer(() => opened.remove(stage.context()));
  return opened;
}

/** Goes on until it is told to end. */
export const endlessScript = 'trap "exit 1" INT TERM; echo on; sleep 1000 & wait';

/** Runs the container of a step to its end. */
export async function runStep(stage: Stage, step: StepContainer, signal?: AbortSignal): Promise<Ran> {
  const [out, err] = [captureOutput(), captureOutput()];
  const result = await step.run({ stdout: out.sink, stderr: err.sink }, stage.context(signal)).result;
  return { result, bytes: out.bytes(), out: out.text(), err: err.text() };
}

/** The name of an image of the options; without it the check is skipped. */
export function imageOf(stage: Stage): string {
  return stage.options.images?.shell ?? stage.skip('needs the option "images.shell"');
}

/** Runs a script in the container of a step; it has to exit with 0. */
export async function shellStep(
  stage: Stage,
  made: JobContainers,
  script: string,
  workdir: string,
  over: Partial<ReturnType<typeof stepSpec>> = {},
): Promise<string> {
  const cmd = ['-c', script];
  const spec = stepSpec(imageOf(stage), { entrypoint: ['/bin/sh'], cmd, workdir, ...over });
  const step = await made.step(spec);
  const { result, out, err } = await runStep(stage, step);
  await step.remove(stage.context());
  expectSame(result, { kind: 'exited', code: 0 }, `the result of the container of a step, with ${show(err)}`);
  return out;
}
