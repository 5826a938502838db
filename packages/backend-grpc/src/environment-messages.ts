import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  BackendError,
  type DockerEndpointDescriptor,
  type EnvironmentInfo,
  type RemoveReport,
} from '@forgejo-runner/core';
import type {
  DockerEndpoint,
  DockerEndpointSchema,
  EnvironmentInfo as WireInfo,
  EnvironmentInfoSchema,
  Leak,
} from './gen/forgejo/runner/backend/v1/backend_pb.ts';
import { plain } from './platform-errors.ts';

/** What the inside of an environment looks like, for the wire. */
export function infoToWire(info: EnvironmentInfo): MessageInitShape<typeof EnvironmentInfoSchema> {
  const { paths, env, pathStyle } = info;
  return {
    os: info.os,
    arch: info.arch,
    hostname: info.hostname ?? '',
    workspace: paths.workspace,
    temp: paths.temp,
    toolCache: paths.toolCache,
    runner: paths.runner,
    home: paths.home,
    envCaseInsensitive: env.caseInsensitive,
    pathName: env.pathName,
    pathSeparator: env.pathSeparator,
    defaultPath: env.defaultPath,
    pathStyle,
    runnerAddress: info.runnerAddress ?? '',
  };
}

/** What a server tells of the inside. @throws BackendError `internal` where steps could not run on that. */
export function infoFromWire(wire: WireInfo | undefined, server: string): EnvironmentInfo {
  if (wire === undefined) throw lacks(server, 'info');
  const { workspace, temp, toolCache, runner, home } = wire;
  const paths = { workspace, temp, toolCache, runner, home };
  for (const [name, path] of Object.entries(paths)) if (path === '') throw lacks(server, `a path "${name}"`);
  const isWindows = wire.pathStyle === 'win32';
  return {
    os: wire.os === '' ? 'Linux' : wire.os,
    arch: wire.arch === '' ? 'X64' : wire.arch,
    ...(wire.hostname === '' ? {} : { hostname: wire.hostname }),
    paths,
    env: {
      caseInsensitive: wire.envCaseInsensitive,
      pathName: wire.pathName === '' ? 'PATH' : wire.pathName,
      pathSeparator: wire.pathSeparator === ';' || (wire.pathSeparator === '' && isWindows) ? ';' : ':',
      defaultPath: wire.defaultPath,
    },
    pathStyle: isWindows ? 'win32' : 'posix',
    ...(wire.runnerAddress === '' ? {} : { runnerAddress: wire.runnerAddress }),
  };
}

function lacks(server: string, what: string): BackendError {
  return new BackendError('internal', `${server} made an environment without ${what}`);
}

/** An engine, for the wire. */
export function endpointToWire(endpoint: DockerEndpointDescriptor): MessageInitShape<typeof DockerEndpointSchema> {
  const { address, tls, binds, publishedHost, socketInTarget } = endpoint;
  return {
    address,
    ...(tls === undefined
      ? {}
      : { tlsCa: tls.ca, tlsCert: tls.cert, tlsKey: tls.key, tlsServerName: tls.serverName ?? '' }),
    bindsTargetPaths: binds === 'target-paths',
    publishedHost,
    socketInTarget: socketInTarget ?? '',
  };
}

/** An engine that a server hands out. @throws BackendError `internal` for an address that the runner cannot dial. */
export function endpointFromWire(wire: DockerEndpoint, server: string): DockerEndpointDescriptor {
  const { address, tlsCa, tlsCert, tlsKey, tlsServerName, bindsTargetPaths, publishedHost, socketInTarget } = wire;
  if (!isDialled(address)) {
    throw new BackendError('internal', `${server} handed out an engine at ${JSON.stringify(address.slice(0, 200))}`);
  }
  const name = tlsServerName === '' ? {} : { serverName: tlsServerName };
  return {
    address,
    ...(tlsCa.length === 0 ? {} : { tls: { ca: tlsCa, cert: tlsCert, key: tlsKey, ...name } }),
    binds: bindsTargetPaths ? 'target-paths' : 'none',
    publishedHost,
    ...(socketInTarget === '' ? {} : { socketInTarget }),
  };
}

function isDialled(address: string): address is DockerEndpointDescriptor['address'] {
  return /^(?:unix|tcp|npipe):\/\/./.test(address);
}

/** What was removed and what was not, as a server tells it. */
export function reportFromWire(wire: {
  readonly removed: readonly string[];
  readonly leaked: readonly Leak[];
}): RemoveReport {
  return {
    removed: wire.removed.map(plain),
    leaked: wire.leaked.map(({ resource, error }) => ({ resource: plain(resource), error: plain(error) })),
  };
}

/** The same, for the wire. */
export function reportToWire({ removed, leaked }: RemoveReport): {
  removed: string[];
  leaked: { resource: string; error: string }[];
} {
  return { removed: [...removed], leaked: leaked.map((one) => ({ ...one })) };
}
