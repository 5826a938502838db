import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import {
  BackendError,
  type CallContext,
  defaultStop,
  type ExecHandle,
  type ExecIo,
  type ExecResult,
  type Signal,
  type StepContainer,
  type StepContainerSpec,
} from '@forgejo-runner/core';
import { engineError } from '../platform-errors.ts';
import { statusOf } from '../platform-errors.ts';
import { askEngine } from './ask-engine.ts';
import { removal } from './container-removal.ts';
import { createContainer, startContainer } from './containers.ts';
import { demux } from './demux.ts';
import { emulationError, isAboutForeignProgram, keepFirstWords } from './emulation.ts';
import type { DockerEndpoint } from './endpoint.ts';
import type { ProvidedImage } from './images.ts';
import type { JobPlace } from './job-place.ts';

/** The container of a step that is to be run. */
export interface StepDraft {
  readonly name: string;
  readonly image: ProvidedImage;
  readonly spec: StepContainerSpec;
}

/** A container that took SIGKILL is gone, or the engine is. */
const goneBoundMs = 10_000;

/** Makes the container of a step. It runs once, when it is told to. */
export async function openStepContainer(place: JobPlace, draft: StepDraft, ctx: CallContext): Promise<StepContainer> {
  const { name, image, spec } = draft;
  const what = `step "${spec.stepId}"`;
  const fixed = {
    WorkingDir: spec.workdir,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    OpenStdin: true,
    StdinOnce: true,
    // Its output goes to the log of the job, and its end says how it went.
    Healthcheck: { Test: ['NONE'] },
    host: { LogConfig: { Type: 'none', Config: {} } },
  };
  const id = await createContainer(place, { name, what, image, spec, aliases: [], fixed }, ctx);
  const run = new StepRun(place.endpoint, { id, what, image, hasTty: spec.options.tty === true });
  return {
    id,
    run: (io, call) => run.start(io, call),
    ...removal(place, { kind: 'container', id, name }),
  };
}

interface RunningStep {
  readonly id: string;
  readonly what: string;
  readonly image: ProvidedImage;
  readonly hasTty: boolean;
}

/** One run of a container, from its start to the exit code of its program. */
class StepRun {
  readonly #endpoint: DockerEndpoint;
  readonly #step: RunningStep;
  #isStarted = false;

  constructor(endpoint: DockerEndpoint, step: RunningStep) {
    this.#endpoint = endpoint;
    this.#step = step;
  }

  start(io: ExecIo, ctx: CallContext): ExecHandle {
    if (this.#isStarted) {
      const again = new BackendError('internal', `expected one run of ${this.#step.what}, found another one`);
      return { result: Promise.reject(again), signal: async () => {} };
    }
    this.#isStarted = true;
    return { result: this.#run(io, ctx), signal: (signal) => this.#kill(signal) };
  }

  async #run(io: ExecIo, ctx: CallContext): Promise<ExecResult> {
    const { id, what, image } = this.#step;
    if (ctx.signal.aborted) return { kind: 'stopped', survivors: 0 };
    // Attached before it starts, so that not a byte is lost.
    const stream = await this.#attach(ctx);
    const broken = Promise.withResolvers<never>();
    const stopping = Promise.withResolvers<void>();
    const onAbort = (): void => stopping.resolve();
    ctx.signal.addEventListener('abort', onAbort, { once: true });
    try {
      await startContainer({ endpoint: this.#endpoint }, { id, what, image }, ctx);
      void this.#feed(stream, io).catch(() => {});
      const watched = keepFirstWords(io);
      const output = this.#deliver(stream, watched);
      output.catch(broken.reject);
      const ended = Promise.race([this.#ended(output), broken.promise]);
      ended.catch(() => {});
      const isStopped = await Promise.race([ended.then(() => false), stopping.promise.then(() => true)]);
      if (isStopped) return await this.#stop(ended);
      const result = await ended;
      const isForeign = result.kind === 'exited' && result.code !== 0 && isAboutForeignProgram(watched.words());
      const foreign = isForeign ? emulationError(image, this.#endpoint.facts) : undefined;
      if (foreign !== undefined) throw foreign;
      return result;
    } catch (error) {
      await this.#kill('SIGKILL').catch(() => {});
      if (ctx.signal.aborted) return { kind: 'stopped', survivors: 0 };
      throw error;
    } finally {
      ctx.signal.removeEventListener('abort', onAbort);
      stream.destroy();
    }
  }

  async #attach(ctx: CallContext): Promise<Duplex> {
    const { id, what } = this.#step;
    const stream = await askEngine({ doing: `take the output of ${what}`, resource: id }, ctx, () =>
      this.#endpoint.client
        .getContainer(id)
        .attach({ stream: true, hijack: true, stdin: true, stdout: true, stderr: true }),
    );
    // What hijacks a connection gets the socket itself.
    const duplex = stream as Duplex;
    // Who reads it sees the error; until somebody does, it must not end the process.
    duplex.on('error', () => {});
    return duplex;
  }

  async #feed(stream: Duplex, { stdin }: ExecIo): Promise<void> {
    if (stdin !== undefined) {
      for await (const chunk of stdin) {
        if (!stream.write(chunk)) await once(stream, 'drain');
      }
    }
    stream.end();
  }

  async #deliver(stream: Duplex, { stdout, stderr }: Pick<ExecIo, 'stdout' | 'stderr'>): Promise<void> {
    if (this.#step.hasTty) {
      for await (const chunk of stream as AsyncIterable<Uint8Array>) await stdout(chunk);
      return;
    }
    for await (const { source, payload } of demux(stream)) await (source === 'stderr' ? stderr : stdout)(payload);
  }

  /** The exit code, once all output was taken. Without one the outcome is unknown. */
  async #ended(output: Promise<void>): Promise<ExecResult> {
    const { id, what } = this.#step;
    const container = this.#endpoint.client.getContainer(id);
    try {
      await Promise.all([output, container.wait()]);
      // The engine's answer to waiting is not the same everywhere; what it keeps is.
      const { State: state } = await container.inspect();
      if (state.Running) throw new Error('it still runs');
      return { kind: 'exited', code: state.ExitCode, ...(state.OOMKilled ? { oomKilled: true } : {}) };
    } catch (error) {
      const why = engineError(error, `wait for ${what}`, id);
      throw new BackendError('lost', `expected an exit code of ${what}, found none: ${why.message}`, {
        resource: id,
        cause: error,
        hint: 'look at the log of the engine',
      });
    }
  }

  async #stop(ended: Promise<ExecResult>): Promise<ExecResult> {
    const over = ended.then(
      () => true,
      () => true,
    );
    for (const { signal, graceMs } of defaultStop) {
      await this.#kill(signal).catch(() => {});
      if (await within(over, signal === 'SIGKILL' ? goneBoundMs : graceMs)) return { kind: 'stopped', survivors: 0 };
    }
    return { kind: 'stopped', survivors: 1 };
  }

  async #kill(signal: Signal): Promise<void> {
    try {
      await this.#endpoint.client.getContainer(this.#step.id).kill({ signal });
    } catch (error) {
      // Neither there nor running: that is what was wanted.
      if (statusOf(error) !== 404 && statusOf(error) !== 409) throw error;
    }
  }
}

async function within(over: Promise<boolean>, ms: number): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => late.resolve(false), ms);
  const isOver = await Promise.race([over, late.promise]);
  clearTimeout(timer);
  return isOver;
}
