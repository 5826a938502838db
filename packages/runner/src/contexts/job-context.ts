import type { Container, ServiceContainer } from '@forgejo-runner/core';
import type { Value, ValueMap } from '../expressions/values.ts';
import type { JobStatus } from '../job/job-state.ts';

/** The `job` context: status, container and services with the ports under which steps reach them. */
export function jobContext(
  status: JobStatus,
  container: Container | undefined,
  services: ReadonlyMap<string, ServiceContainer>,
): ValueMap {
  const context = new Map<string, Value>([['status', status]]);
  if (container !== undefined) context.set('container', containerValue(container.id, container.network));
  context.set('services', new Map([...services].map(([id, service]): [string, Value] => [id, serviceValue(service)])));
  return context;
}

function containerValue(id: string, network: string | undefined): Map<string, Value> {
  return new Map<string, Value>([
    ['id', id],
    ['network', network ?? ''],
  ]);
}

function serviceValue(service: ServiceContainer): ValueMap {
  // A port of both protocols has one entry: what workflows mean is the one for TCP.
  const byProtocol = service.ports.toSorted((a, b) => Number(a.protocol === 'tcp') - Number(b.protocol === 'tcp'));
  const ports = new Map(byProtocol.map((port): [string, Value] => [String(port.container), String(port.port)]));
  return containerValue(service.id, service.network).set('ports', ports);
}
