import type { Logger } from '@forgejo-runner/core';
import { InstanceError } from './failures.ts';

/** What a server may be too old for. */
export type ServerFeature = 'declare' | 'single-task';

/** What {@link ServerFeatures} works with. */
export interface ServerFeaturesOptions {
  /** Of the connection. */
  readonly name: string;
  readonly log: Logger;
  readonly ping: (signal: AbortSignal) => Promise<void>;
}

/** What an old server lacks. It is found out by asking: no answer of a server says its version before the first task. */
export class ServerFeatures {
  readonly #missing = new Set<ServerFeature>();
  readonly #options: ServerFeaturesOptions;

  constructor(options: ServerFeaturesOptions) {
    this.#options = options;
  }

  /** Asks what old servers do not know; undefined where this one does not. Says so once. */
  async orOlder<T>(feature: ServerFeature, signal: AbortSignal, question: () => Promise<T>): Promise<T | undefined> {
    if (this.#missing.has(feature)) return undefined;
    try {
      return await question();
    } catch (error) {
      await this.#mustBeOld(error, signal);
      this.#missing.add(feature);
      const { name, log } = this.#options;
      log.warn(`the instance is old: ${consequences[feature]}`, { connection: name });
      return undefined;
    }
  }

  /** Asks what there is no other way for. @throws {InstanceError} `FRR706` where this server does not know it. */
  async orRefused<T>(feature: ServerFeature, signal: AbortSignal, question: () => Promise<T>): Promise<T> {
    try {
      return await question();
    } catch (error) {
      await this.#mustBeOld(error, signal);
      const message = `the instance is too old: ${consequences[feature]}`;
      throw new InstanceError({ code: 'FRR706', message, isRefused: true }, error);
    }
  }

  /** Throws the error on where it says something else than that the server does not know a procedure. */
  async #mustBeOld(error: unknown, signal: AbortSignal): Promise<void> {
    if (!(error instanceof InstanceError) || error.failure.status !== 'unimplemented') throw error;
    // Every server knows this one. Where it is missing as well, the address leads to something else.
    await this.#options.ping(signal);
  }
}

const consequences: Readonly<Record<ServerFeature, string>> = {
  declare:
    'it keeps the labels and the version that the runner was registered with; Forgejo 1.21 and newer ask for them',
  'single-task': 'it hands out no certain job; Forgejo 15 and newer do',
};
