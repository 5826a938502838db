import { createHash } from 'node:crypto';
import { BackendError, type CallContext, type DockerEndpointDescriptor } from '@forgejo-runner/core';
import type Docker from 'dockerode';
import { askEngine } from './ask-engine.ts';
import type { EngineClient } from './engine-client.ts';
import { askEngineFacts, type EngineFacts } from './engine-facts.ts';
import { tlsFailure } from './tls-failure.ts';

export type { EngineFacts } from './engine-facts.ts';

/** One engine, dialled once. Whoever opened it disposes it; everything that talks to an engine is handed one. */
export interface DockerEndpoint extends AsyncDisposable {
  readonly descriptor: DockerEndpointDescriptor;
  readonly client: Docker;
  readonly facts: EngineFacts;
}

/** An engine that takes longer to say what it is will not run a job either. */
const answerMs = 30_000;

interface Connection extends Disposable {
  readonly client: Docker;
  readonly facts: EngineFacts;
}

interface SharedConnection {
  readonly opening: Promise<Connection>;
  holders: number;
}

/** Asking for the facts takes a while, with podman a long one: jobs that share an engine share what it said. */
const connections = new Map<string, SharedConnection>();

/**
 * Connects to an engine and asks what it is; who opens one that is open already is not made to wait for that.
 *
 * @throws BackendError `unavailable` when it does not answer, `unsupported` when its API is too old or too new, `auth`
 * when its certificate or ours is refused.
 */
export async function openDockerEndpoint(
  descriptor: DockerEndpointDescriptor,
  ctx: CallContext,
): Promise<DockerEndpoint> {
  const key = keyOf(descriptor);
  const shared = hold(key, descriptor);
  let isReleased = false;
  const release = async (): Promise<void> => {
    if (isReleased) return;
    isReleased = true;
    await letGo(key, shared);
  };
  try {
    const { address } = descriptor;
    const question = { doing: `reach the engine at ${address}`, resource: address };
    const { client, facts } = await askEngine(question, ctx, () => shared.opening);
    return { descriptor, client, facts, [Symbol.asyncDispose]: release };
  } catch (error) {
    await release();
    throw error;
  }
}

function hold(key: string, descriptor: DockerEndpointDescriptor): SharedConnection {
  const shared = connections.get(key) ?? { opening: connect(descriptor), holders: 0 };
  shared.holders += 1;
  connections.set(key, shared);
  // Who comes after a failure tries again; who waits for it sees it.
  shared.opening.catch(() => forget(key, shared));
  return shared;
}

async function letGo(key: string, shared: SharedConnection): Promise<void> {
  shared.holders -= 1;
  if (shared.holders > 0) return;
  forget(key, shared);
  // A caller that was cancelled does not wait for the engine, so neither does the end of its connection.
  void shared.opening.then(
    (connection) => connection[Symbol.dispose](),
    () => {},
  );
}

function forget(key: string, shared: SharedConnection): void {
  if (connections.get(key) === shared) connections.delete(key);
}

/** What belongs to no single call: the others may go on waiting when the first one is cancelled. */
async function connect(descriptor: DockerEndpointDescriptor): Promise<Connection> {
  const { address } = descriptor;
  // The client is the heaviest part of this package: it is loaded when an engine is dialled, not with the package.
  const { openEngineClient } = await import('./engine-client.ts');
  const engine: EngineClient = openEngineClient(descriptor);
  try {
    const facts = await inTime(askEngineFacts(engine.speaking(), address), address);
    return { client: engine.speaking(facts.apiVersion), facts, [Symbol.dispose]: () => engine[Symbol.dispose]() };
  } catch (error) {
    engine[Symbol.dispose]();
    throw tlsFailure(error, descriptor) ?? error;
  }
}

async function inTime<T>(answer: Promise<T>, address: string): Promise<T> {
  const late = Promise.withResolvers<never>();
  const onLate = (): void => late.reject(notInTime(address));
  const timer = setTimeout(onLate, answerMs);
  try {
    return await Promise.race([answer, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function notInTime(address: string): BackendError {
  return new BackendError(
    'unavailable',
    `expected an answer of the engine at ${address} within ${answerMs / 1000} s, found none`,
    {
      resource: address,
      hint: 'look whether the engine hangs; restart it if it does',
    },
  );
}

function keyOf({ address, tls }: DockerEndpointDescriptor): string {
  const hash = createHash('sha256').update(address);
  for (const part of tls === undefined ? [] : [tls.ca, tls.cert, tls.key, tls.serverName ?? ''])
    hash.update('\0').update(part);
  return hash.digest('hex');
}
