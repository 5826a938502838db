import { setTimeout as pause } from 'node:timers/promises';
import { BackendError, type CallContext } from '@forgejo-runner/core';
import type { ContainerInspectInfo } from 'dockerode';
import { statusOf } from '../platform-errors.ts';
import { askEngine } from './ask-engine.ts';
import { lastLines } from './container-logs.ts';
import { emulationError, isAboutForeignProgram } from './emulation.ts';
import type { DockerEndpoint } from './endpoint.ts';
import type { ProvidedImage } from './images.ts';

/** A service that is waited for. */
export interface Awaited {
  readonly id: string;
  /** As the workflow calls it. */
  readonly service: string;
  readonly image: ProvidedImage;
}

const firstPauseMs = 100;
const longestPauseMs = 1000;
/** How often the reader of the log hears that something is still waited for. */
const sayEveryMs = 10_000;
/** What a check may take beyond its own times before it counts as stuck: an engine under load is slow to start one. */
const spareMs = 60_000;
/** Of a check's output; services print their whole state there. */
const checkOutputLength = 1000;

/**
 * Waits until a service is healthy; one without a check only has to run.
 *
 * @throws BackendError `plan` with the last output of its check and its last lines when it is unhealthy or has ended,
 * `timeout` when its check never comes to an end, `image` when its image is for another processor.
 */
export async function waitHealthy(endpoint: DockerEndpoint, awaited: Awaited, ctx: CallContext): Promise<void> {
  const { service } = awaited;
  const startedMs = performance.now();
  const elapsed = (): string => `${((performance.now() - startedMs) / 1000).toFixed(1)} s`;
  let saidMs = startedMs;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(longestPauseMs, pauseMs * 1.5)) {
    const found = await inspect(endpoint, awaited, ctx);
    const verdict = verdictOf(found);
    if (verdict === 'no check') return;
    if (verdict === 'healthy') {
      await say(ctx, `service "${service}" is healthy after ${elapsed()}\n`);
      ctx.emit({ type: 'service.health', at: Date.now(), attributes: { container: awaited.id, healthy: true } });
      return;
    }
    if (verdict !== 'starting') throw await notHealthy(endpoint, awaited, { found, verdict, after: elapsed() }, ctx);
    const waitedMs = performance.now() - startedMs;
    if (waitedMs > limitMs(found)) throw await notHealthy(endpoint, awaited, { found, verdict, after: elapsed() }, ctx);
    if (performance.now() - saidMs >= sayEveryMs || saidMs === startedMs) {
      saidMs = performance.now();
      await say(ctx, `waiting for service "${service}" to become healthy (${elapsed()})\n`);
    }
    if (endpoint.facts.kind === 'podman') await runPodmanCheck(endpoint, awaited.id, ctx);
    await pause(pauseMs, undefined, { signal: ctx.signal }).catch(() => {});
  }
}

type Verdict = 'no check' | 'starting' | 'healthy' | 'unhealthy' | 'ended';

/** What the engine says about a container, in one word. */
export function verdictOf({ State: state }: Pick<ContainerInspectInfo, 'State'>): Verdict {
  if (!state.Running) return 'ended';
  const status = state.Health?.Status;
  // Podman says nothing, Docker `none`, where there is no check.
  if (status === undefined || status === '' || status === 'none') return 'no check';
  if (status === 'healthy' || status === 'unhealthy') return status;
  return 'starting';
}

function ms(nanoseconds: number, byDefault: number): number {
  return nanoseconds > 0 ? nanoseconds / 1e6 : byDefault;
}

/** When a check that gives no verdict is given up: after all its tries would have failed. */
function limitMs({ Config: config }: ContainerInspectInfo): number {
  const { Interval = 0, Timeout = 0, StartPeriod = 0, Retries = 0 } = config.Healthcheck ?? {};
  return ms(StartPeriod, 0) + (Retries > 0 ? Retries : 3) * (ms(Interval, 30_000) + ms(Timeout, 30_000)) + spareMs;
}

async function inspect(
  { client }: DockerEndpoint,
  { id, service }: Awaited,
  ctx: CallContext,
): Promise<ContainerInspectInfo> {
  return askEngine({ doing: `look at service "${service}"`, resource: service }, ctx, async () => {
    try {
      return await client.getContainer(id).inspect();
    } catch (error) {
      if (statusOf(error) !== 404) throw error;
      throw new BackendError('lost', `expected service "${service}" to run, found its container removed`, {
        resource: service,
        cause: error,
      });
    }
  });
}

async function notHealthy(
  endpoint: DockerEndpoint,
  { id, service, image }: Awaited,
  {
    found,
    verdict,
    after,
  }: { readonly found: ContainerInspectInfo; readonly verdict: Verdict; readonly after: string },
  ctx: CallContext,
): Promise<BackendError> {
  ctx.emit({ type: 'service.health', at: Date.now(), attributes: { container: id, healthy: false } });
  const { State: state } = found;
  const lines = await lastLines(endpoint, id, ctx);
  const foreign = lines.some(isAboutForeignProgram) ? emulationError(image, endpoint.facts) : undefined;
  if (foreign !== undefined) return foreign;
  const check = state.Health?.Log?.at(-1)?.Output.trim().slice(-checkOutputLength) ?? '';
  const end = state.OOMKilled ? 'out of memory' : `with code ${state.ExitCode}`;
  const what = { ended: `it ended ${end}`, unhealthy: 'it unhealthy', starting: 'no verdict of its check' };
  const text = [
    `expected service "${service}" to become ready, found ${verdict in what ? what[verdict as keyof typeof what] : verdict} after ${after}`,
    ...(verdict === 'ended' || check === '' ? [] : [`last output of its check: ${check}`]),
    ...(lines.length === 0 ? ['it wrote nothing'] : ['its last lines:', ...lines.map((line) => `  ${line}`)]),
  ].join('\n');
  return new BackendError(verdict === 'starting' ? 'timeout' : 'plan', text, {
    resource: service,
    hint: 'correct image, env, ports or options of the service, or give its check more time',
  });
}

/** Podman leaves it to systemd to run checks, which is not everywhere: asking for one does no harm where it is. */
async function runPodmanCheck({ client }: DockerEndpoint, id: string, ctx: CallContext): Promise<void> {
  const path = `/v4.0.0/libpod/containers/${encodeURIComponent(id)}/healthcheck`;
  const options = { path, method: 'GET', statusCodes: { 200: true }, abortSignal: ctx.signal };
  // The version of Docker's interface would be put before it. A container has no check, or has ended: the next look tells.
  const modem = Object.assign(Object.create(client.modem), { version: undefined }) as typeof client.modem;
  await new Promise<void>((resolve) => modem.dial(options, () => resolve()));
}

async function say(ctx: CallContext, text: string): Promise<void> {
  await ctx.progress(Buffer.from(text));
}
