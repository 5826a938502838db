import type {
  CallContext,
  Container,
  EnvironmentInfo,
  ExecutionEnvironment,
  Liveness,
  RemoveReport,
  Target,
} from '@forgejo-runner/core';
import type { JobContainers } from './driver/job-containers.ts';
import { cleanUpContext } from './driver/container-removal.ts';

/** What an environment is made of. */
export interface DockerEnvironmentParts {
  readonly name: string;
  readonly expiresAt: number;
  readonly info: EnvironmentInfo;
  readonly containers: JobContainers;
  /** The container of the label; absent where the workflow brings its own. */
  readonly machine: Container | undefined;
}

/** A timer takes no longer time than this. */
const longestTimerMs = 2 ** 31 - 1;

/** The containers of one job as an environment: the label's own, or the one that the workflow asks for. */
export class DockerEnvironment implements ExecutionEnvironment {
  readonly id: string;
  readonly name: string;
  readonly info: EnvironmentInfo;
  readonly target?: Target;
  readonly createJobContainer: NonNullable<ExecutionEnvironment['createJobContainer']>;
  readonly createServiceContainer: NonNullable<ExecutionEnvironment['createServiceContainer']>;
  readonly createStepContainer: NonNullable<ExecutionEnvironment['createStepContainer']>;
  readonly buildImage: NonNullable<ExecutionEnvironment['buildImage']>;
  readonly #parts: DockerEnvironmentParts;
  #endedAs: 'expired' | 'stopped' | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: DockerEnvironmentParts) {
    const { name, info, containers, machine } = parts;
    this.#parts = parts;
    this.id = machine?.id ?? name;
    this.name = name;
    this.info = info;
    if (machine !== undefined) this.target = machine;
    this.createJobContainer = containers.createJobContainer;
    this.createServiceContainer = containers.createServiceContainer;
    this.createStepContainer = containers.createStepContainer;
    this.buildImage = containers.buildImage;
    this.#setTimer();
  }

  readonly state = async (ctx: CallContext): Promise<Liveness> => {
    if (this.#endedAs !== undefined) {
      const detail = this.#endedAs === 'expired' ? 'its time is over' : 'it was removed';
      return { alive: false, reason: this.#endedAs, detail };
    }
    const container = this.#parts.containers.jobContainer();
    const found: Liveness = container === undefined ? { alive: true } : await container.state(ctx);
    // The container ends itself at that time, whether or not somebody is there to remove it.
    const isExpired = !found.alive && found.reason === 'stopped' && Date.now() >= this.#parts.expiresAt;
    return isExpired ? { ...found, reason: 'expired' } : found;
  };

  readonly remove = async (ctx: CallContext): Promise<RemoveReport> => this.#removeAs('stopped', ctx);

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#removeAs('stopped', cleanUpContext());
  }

  /** Stops the clock, when the backend closes. */
  forget(): void {
    clearTimeout(this.#timer);
  }

  #removeAs(reason: 'expired' | 'stopped', ctx: CallContext): Promise<RemoveReport> {
    this.#endedAs ??= reason;
    clearTimeout(this.#timer);
    return this.#parts.containers.remove(ctx);
  }

  #setTimer(): void {
    const { expiresAt } = this.#parts;
    const onTime = (): void => {
      if (expiresAt > Date.now()) this.#setTimer();
      else void this.#removeAs('expired', cleanUpContext());
    };
    this.#timer = setTimeout(onTime, Math.min(Math.max(expiresAt - Date.now(), 0), longestTimerMs));
    // It must not keep a runner alive that wants to end.
    this.#timer.unref();
  }
}
