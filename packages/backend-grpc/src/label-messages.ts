import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Capabilities } from '@forgejo-runner/core';
import type { Capabilities as Wire, CapabilitiesSchema } from './gen/forgejo/runner/backend/v1/backend_pb.ts';

/**
 * What a label can do, for the wire. Paths are shared with nobody there, and every exec can be taken up again: the server
 * keeps its output.
 */
export function capabilitiesToWire({
  containers,
  exec,
  files,
  isolation,
  features,
}: Capabilities): MessageInitShape<typeof CapabilitiesSchema> {
  return {
    containers: containersToWire(containers),
    execStdin: exec.stdin,
    execTty: exec.tty,
    execUser: exec.user,
    execSignals: exec.signals,
    execResume: true,
    filesOwnership: files.ownership,
    isolation,
    // Environments live in the server, whatever becomes of the runner.
    recover: true,
    features: [...features],
  };
}

function containersToWire(
  containers: Capabilities['containers'],
): NonNullable<MessageInitShape<typeof CapabilitiesSchema>['containers']> {
  if (containers.via === 'none') return { case: 'none', value: {} };
  if (containers.via === 'docker-endpoint') return { case: 'dockerEndpoint', value: {} };
  const { job, services, steps, build, fields } = containers;
  return { case: 'native', value: { job, services, steps, build, fields: [...fields] } };
}

/** What a server says that a label can do. What it leaves out it cannot do. */
export function capabilitiesFromWire(wire: Wire | undefined): Capabilities {
  return {
    containers: containersFromWire(wire?.containers),
    exec: {
      stdin: wire?.execStdin ?? false,
      tty: wire?.execTty ?? false,
      user: wire?.execUser ?? false,
      signals: wire?.execSignals ?? false,
      resume: wire?.execResume ?? false,
    },
    files: { ownership: wire?.filesOwnership ?? false, shared: false },
    isolation: wire?.isolation === undefined || wire.isolation === '' ? 'none' : wire.isolation,
    recover: wire?.recover ?? false,
    features: wire?.features ?? [],
  };
}

function containersFromWire(wire: Wire['containers'] | undefined): Capabilities['containers'] {
  if (wire?.case === 'dockerEndpoint') return { via: 'docker-endpoint' };
  if (wire?.case !== 'native') return { via: 'none' };
  const { job, services, steps, build, fields } = wire.value;
  return { via: 'native', job, services, steps, build, fields };
}
