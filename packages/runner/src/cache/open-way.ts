import type { OpenEnvironment } from '../environment/open-environment.ts';
import type { Listening } from './listeners.ts';
import type { JobServicesOptions } from './open-job-services.ts';
import { probeReach } from './reach-probe.ts';
import { inUrl, outwardAddress } from './runner-address.ts';

/** How a job reaches the cache server, or why it does not. Whoever gets an open one closes it. */
export type Way =
  | { readonly kind: 'open'; readonly origin: string; readonly listening: Listening }
  | { readonly kind: 'none'; readonly because: readonly string[] };

/**
 * Listens where a job may reach us, and has it try: at the address that the administrator chose, else at the one that its
 * backend names, else at that of this machine towards others.
 */
export async function openWay(
  options: JobServicesOptions,
  { hasStepContainers }: { readonly hasStepContainers: boolean },
  place: OpenEnvironment,
  signal: AbortSignal,
): Promise<Way> {
  const { server, publicUrl } = options;
  const because: string[] = [];
  const silent: string[] = [];
  for (const address of await addresses(options, place, hasStepContainers)) {
    const listening = await listen(options, address);
    if (typeof listening === 'string') {
      because.push(listening);
      continue;
    }
    const origin = publicUrl?.replace(/\/+$/, '') ?? `${server.scheme}://${inUrl(address)}:${listening.port}`;
    if (!silent.includes(origin)) {
      if (await isReached(place, origin, { isHere: isLoopback(address) && publicUrl === undefined, listening, signal }))
        return { kind: 'open', origin, listening };
      silent.push(origin);
    }
    await listening[Symbol.asyncDispose]();
  }
  if (silent.length > 0) {
    because.push(
      `The cache of the runner is not reached from ${place.environment.name} at ${silent.join(' or ')}; this job has none. For the administrator: set cache.host to an address of the runner that jobs reach, and let a firewall pass cache.port`,
    );
  }
  return { kind: 'none', because };
}

/** Where to try, in this order. */
async function addresses(
  { host }: JobServicesOptions,
  { info: { runnerAddress } }: OpenEnvironment,
  hasStepContainers: boolean,
): Promise<readonly string[]> {
  if (host !== undefined) return [host];
  const outward = await outwardAddress();
  if (runnerAddress === undefined) return [outward];
  // Steps on this machine may have containers beside them, whose loopback is another one.
  const isOnlyHere = isLoopback(runnerAddress) && hasStepContainers;
  return [...new Set(isOnlyHere ? [outward, runnerAddress] : [runnerAddress, outward])];
}

async function isReached(
  place: OpenEnvironment,
  origin: string,
  {
    isHere,
    listening,
    signal,
  }: { readonly isHere: boolean; readonly listening: Listening; readonly signal: AbortSignal },
): Promise<boolean> {
  if (isHere) return true;
  try {
    return (await probeReach(place, origin, signal)) !== 'not-reached';
  } catch (error) {
    await listening[Symbol.asyncDispose]();
    throw error;
  }
}

/** @returns why there is no cache, where the address is not ours to listen at. */
async function listen({ server, bind, log }: JobServicesOptions, address: string): Promise<Listening | string> {
  try {
    return bind === undefined ? await server.listeners.reach(address) : await server.listeners.listen(bind);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    log.error('the cache server cannot listen', { address: bind ?? address, error: reason });
    return `The runner cannot offer its cache at ${bind ?? address}: ${reason}. This job has none`;
  }
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.');
}
