import { runnerVersion } from '../runner-version.ts';
import { InstanceError } from './failures.ts';
import type { InstanceClient } from './instance-client.ts';

/** Who registers, and with what. */
export interface Registration {
  /** Of the instance, an owner or a repository; good for one question. */
  readonly registrationToken: string;
  readonly name: string;
  /** Names only: what follows the colon of a label is nobody's business but ours. */
  readonly labels: readonly string[];
  readonly ephemeral: boolean;
}

/** The identity that an instance made for a runner. */
export interface RegisteredRunner {
  readonly id: bigint;
  readonly uuid: string;
  readonly token: string;
  readonly name: string;
}

/** Makes a runner of whoever has a registration token. @throws {InstanceError} where the instance does not. */
export async function registerRunner(
  client: InstanceClient,
  { registrationToken: token, name, labels, ephemeral }: Registration,
  signal: AbortSignal,
): Promise<RegisteredRunner> {
  const request = { name, token, labels: [...labels], version: runnerVersion, ephemeral };
  const { runner } = await client.ask('Register', (limits) => client.runner.register(request, limits), { signal });
  if (runner === undefined || runner.uuid === '' || runner.token === '') {
    throw new InstanceError({
      code: 'FRR704',
      message: 'expected an identity of the instance, found an answer without uuid or token',
      isRefused: false,
    });
  }
  if (ephemeral && !runner.ephemeral) {
    throw new InstanceError({
      code: 'FRR706',
      message: 'the instance made a runner that stays: it does not know runners for one job yet',
      next: 'remove the runner from the instance, and use Forgejo 15 or newer for runners for one job',
      isRefused: true,
    });
  }
  return { id: runner.id, uuid: runner.uuid, token: runner.token, name: runner.name };
}
