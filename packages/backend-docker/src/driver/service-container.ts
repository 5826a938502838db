import type { CallContext, ServiceContainer, ServiceContainerSpec } from '@forgejo-runner/core';
import { askEngine } from './ask-engine.ts';
import { readLogs } from './container-logs.ts';
import { removal } from './container-removal.ts';
import { createContainer, portKey, startContainer } from './containers.ts';
import { waitHealthy } from './health.ts';
import type { ProvidedImage } from './images.ts';
import type { JobPlace } from './job-place.ts';
import { engineHealthcheck } from './run-options.ts';

/** A service that is to be started. */
export interface ServiceDraft {
  readonly name: string;
  readonly image: ProvidedImage;
  readonly spec: ServiceContainerSpec;
  /** Where steps run: beside the service in the network of the job, or on the machine that publishes its ports. */
  readonly seenFrom: 'network' | { readonly publishedHost: string };
}

/** More would make a log of the engine fill the disk of its machine. */
const logConfig = { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '1' } };

/** Makes and starts a service. It need not be ready yet. */
export async function openService(place: JobPlace, draft: ServiceDraft, ctx: CallContext): Promise<ServiceContainer> {
  const { endpoint, network } = place;
  const { spec, name, image } = draft;
  const what = `service "${spec.id}"`;
  const aliases = aliasesOf(spec);
  const fixed = { Healthcheck: engineHealthcheck(spec.healthcheck), host: { LogConfig: logConfig } };
  const id = await createContainer(place, { name, what, image, spec, aliases, fixed }, ctx);
  await startContainer(place, { id, what, image }, ctx);
  const { hostnames, ports } = await reachable(place, { id, draft, aliases }, ctx);
  return {
    id,
    network: network.name,
    hostnames,
    ports,
    waitReady: (call) => waitHealthy(endpoint, { id, service: spec.id, image }, call),
    logs: (sink, call) => readLogs(endpoint, { container: id }, sink, call),
    ...removal(place, { kind: 'container', id, name }),
  };
}

/** The names that a service is found by. Two ids that differ only in what a name cannot hold do not share one. */
export function aliasesOf({ id, aliases }: Pick<ServiceContainerSpec, 'id' | 'aliases'>): readonly string[] {
  const lower = id.toLowerCase();
  return [...new Set([id, lower, ...aliases])].filter((alias) => /^[A-Za-z0-9_][\w.-]{0,62}$/.test(alias));
}

async function reachable(
  place: JobPlace,
  { id, draft, aliases }: { readonly id: string; readonly draft: ServiceDraft; readonly aliases: readonly string[] },
  ctx: CallContext,
): Promise<Pick<ServiceContainer, 'hostnames' | 'ports'>> {
  const { endpoint, network } = place;
  const { spec, seenFrom } = draft;
  const inside = (host: string): ServiceContainer['ports'] =>
    spec.ports.map(({ container, protocol }) => ({ container, protocol, host, port: container }));
  // There the service listens on the machine itself.
  if (network.isHost) {
    const host = seenFrom === 'network' ? 'localhost' : seenFrom.publishedHost;
    return { hostnames: [host], ports: inside(host) };
  }
  if (seenFrom === 'network' && network.hasNames) return { hostnames: aliases, ports: inside(aliases[0] ?? spec.id) };
  const { NetworkSettings: settings } = await askEngine(
    { doing: 'look for the ports of a service', resource: spec.id },
    ctx,
    () => endpoint.client.getContainer(id).inspect(),
  );
  if (seenFrom === 'network') {
    const address = settings.Networks[network.name]?.IPAddress ?? '';
    return address === '' ? { hostnames: [], ports: [] } : { hostnames: [address], ports: inside(address) };
  }
  const host = seenFrom.publishedHost;
  const ports = spec.ports.flatMap((port) => {
    const bound = settings.Ports[portKey(port)] ?? [];
    const wanted = bound.find(({ HostPort }) => port.host === undefined || HostPort === String(port.host));
    return wanted === undefined
      ? []
      : [{ container: port.container, protocol: port.protocol, host, port: Number(wanted.HostPort) }];
  });
  return { hostnames: [host], ports };
}
