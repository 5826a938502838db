import { createServer as createHttpServer, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { randomBytes } from 'node:crypto';
import { type DrivenClock, shiftedClock } from '../server-clock.ts';
import { type FakeJob, fakeJob } from './fake-job.ts';
import { httpFront } from './http-front.ts';
import { JobBoard, serverTimers, type ServerTimers } from './job-board.ts';
import type { KnownJob } from './known-task.ts';
import { openRecord, type RequestRecord } from './record.ts';
import { type KnownRunner, type NewRunner, RunnerBook, type RunnerScope } from './runner-book.ts';
import { serveRunners } from './runner-service.ts';
import { openScenario, type Scenario } from './scenario.ts';
import { serverFeatures, type ServerFeatures, type ServerVersion } from './server-features.ts';
import type { JobSpec } from './task-builder.ts';

/** What a fake server is to be. */
export interface FakeForgejoOptions {
  /** Default `15.0.0`. */
  readonly version?: ServerVersion;
  /** Laid over what the version can do. */
  readonly features?: Partial<ServerFeatures>;
  /** Path of the socket to listen at, in place of a port of the loopback interface. */
  readonly socketPath?: string;
  /** With which it speaks HTTPS, as PEM. */
  readonly tls?: { readonly key: string; readonly cert: string };
  /** Of the instance below the root, such as `/forge`. */
  readonly path?: string;
  /** Default the true time, which `advance` moves on; a held clock makes a server without time of its own. */
  readonly clock?: DrivenClock;
  readonly timers?: Partial<ServerTimers>;
  /** Where actions come from whose `uses` names no server. Default a place that does not exist. */
  readonly defaultActionsUrl?: string;
}

/** A Forgejo instance in memory, as runners see it. Ended by `await using`. */
export interface FakeForgejo extends AsyncDisposable {
  /** For the configuration of a runner; `unix://` and the path where it listens at a socket. */
  readonly url: string;
  readonly clock: DrivenClock;
  /** A token that runners register with, for the whole instance. */
  readonly registrationToken: string;
  /** Another one, for the runners of an owner or a repository. */
  readonly addRegistrationToken: (scope: RunnerScope) => { readonly token: string; readonly revoke: () => void };
  /** Makes a runner as the settings page does. */
  readonly addRunner: (runner?: NewRunner) => Readonly<KnownRunner>;
  readonly runners: () => readonly Readonly<KnownRunner>[];
  readonly runnerStatus: (uuid: string) => 'idle' | 'active' | 'offline' | 'deleted';
  readonly deleteRunner: (uuid: string) => void;
  /** Lets a job wait for a runner, once those that it needs, by their id, have ended. */
  readonly addJob: (job: string | JobSpec, needs?: Readonly<Record<string, FakeJob>>) => FakeJob;
  readonly jobs: () => readonly FakeJob[];
  readonly scenario: Scenario;
  readonly record: RequestRecord;
  /** From now on it is this version. */
  readonly upgrade: (version: ServerVersion) => void;
  /** Cuts every connection and takes no more, until `start`; what it knows stays. */
  readonly stop: () => Promise<void>;
  /** Listens again, at the same place. */
  readonly start: () => Promise<void>;
  /** Cuts every connection that is open now. */
  readonly cutConnections: () => void;
}

/**
 * Starts a server that does what Forgejo does for runners: procedures, tokens, logs, timers, and the differences between
 * versions. What goes wrong is scripted in its `scenario`; what runners sent is in its `record` and in its jobs.
 *
 * ```ts
 * await using forgejo = await startFakeForgejo();
 * const { uuid, token } = forgejo.addRunner({ labels: ['linux'] });
 * const job = forgejo.addJob(`
 *   runs-on: linux
 *   steps: [{ run: echo hello }]
 * `);
 * // …start a runner with forgejo.url, uuid and token…
 * expect(await job.ended()).toBe('success');
 * expect(job.stepTexts(0)).toContain('hello');
 * ```
 */
export async function startFakeForgejo(options: FakeForgejoOptions = {}): Promise<FakeForgejo> {
  const clock = options.clock ?? shiftedClock();
  const [runners, board] = [new RunnerBook(clock), new JobBoard(clock, { ...serverTimers, ...options.timers })];
  const [scenario, record] = [openScenario(), openRecord()];
  let version = options.version ?? '15.0.0';
  const features = (): ServerFeatures => ({ ...serverFeatures[version], ...options.features });
  let url = '';
  const identity = () => ({ url, version, defaultActionsUrl: options.defaultActionsUrl ?? 'https://actions.invalid' });
  const listener = httpFront({
    path: options.path ?? '',
    serve: (router) => serveRunners(router, { runners, board, features, identity }),
    scenario,
    record,
    clock,
    features,
    beforeWork: () => board.runTimers(),
  });
  const addRegistrationToken = (scope: RunnerScope) => {
    const [token, entry] = [randomBytes(20).toString('hex'), { scope, isActive: true }];
    runners.tokens.set(token, entry);
    return { token, revoke: () => void (entry.isActive = false) };
  };
  const known = new Map<FakeJob, KnownJob>();

  let server: Server | undefined;
  let port = 0;
  const start = async (): Promise<void> => {
    if (server !== undefined) return;
    server = options.tls === undefined ? createHttpServer(listener) : createHttpsServer(options.tls, listener);
    port = await listen(server, options.socketPath ?? port);
    url = urlOf(options, port);
  };
  const stop = async (): Promise<void> => {
    const stopped = server;
    server = undefined;
    if (stopped === undefined) return;
    const closed = new Promise((resolve) => stopped.close(resolve));
    stopped.closeAllConnections();
    await closed;
  };
  await start();
  return {
    url,
    clock,
    registrationToken: addRegistrationToken({}).token,
    addRegistrationToken,
    addRunner: (runner = {}) => runners.add(runner),
    runners: () => runners.all,
    runnerStatus: (uuid) => {
      const runner = runners.all.find((one) => one.uuid === uuid && !one.isDeleted);
      return runner === undefined ? 'deleted' : runners.statusOf(runner);
    },
    deleteRunner: (uuid) => {
      for (const runner of runners.all) if (runner.uuid === uuid) runner.isDeleted = true;
    },
    addJob: (spec, needs = {}) => {
      const needed = Object.entries(needs).map(([id, job]) => [id, requireJob(known.get(job))] as const);
      const added = board.add(typeof spec === 'string' ? { workflow: spec } : spec, Object.fromEntries(needed));
      const job = fakeJob(added, board);
      known.set(job, added);
      return job;
    },
    jobs: () => [...known.keys()],
    scenario,
    record,
    upgrade: (next) => {
      version = next;
    },
    stop,
    start,
    cutConnections: () => server?.closeAllConnections(),
    [Symbol.asyncDispose]: stop,
  };
}

function requireJob(job: KnownJob | undefined): KnownJob {
  if (job === undefined) throw new Error('expected a job of this server');
  return job;
}

async function listen(server: Server, place: string | number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    if (typeof place === 'string') server.listen(place, resolve);
    else server.listen(place, '127.0.0.1', resolve);
  });
  const address = server.address();
  // A server at a socket has its path for an address.
  return typeof address === 'string' || address === null ? 0 : (address satisfies AddressInfo).port;
}

function urlOf({ socketPath, tls, path = '' }: FakeForgejoOptions, port: number): string {
  if (socketPath !== undefined) {
    return path === '' ? `unix://${socketPath}` : `http+unix://${encodeURIComponent(socketPath)}${path}`;
  }
  return `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}${path}`;
}
