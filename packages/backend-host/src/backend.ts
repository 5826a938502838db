import { constants } from 'node:fs';
import { access, statfs } from 'node:fs/promises';
import path from 'node:path';
import type {
  BackendHealth,
  CallContext,
  DockerEndpointDescriptor,
  EnvironmentRequest,
  ExecutionEnvironment,
  TypedBackend,
} from '@forgejo-runner/core';
import {
  cancelled,
  folderUnavailable,
  type IdentitySource,
  markerOf,
  newMarker,
  ownIdentity,
  sweepOwnedFolders,
  thisMachine,
} from '@forgejo-runner/kit';
import { cleanEnvironment } from './clean-environment.ts';
import type { HostConfig } from './config.ts';
import { readEngineEndpoint, whyNoEngine } from './engine-endpoint.ts';
import { HostEnvironment, removeEnvironment } from './environment.ts';
import { defaultWorkdirParent, makeJobFolders, openWorkdirParent } from './job-folders.ts';
import { capabilitiesWithEngine, type HostLabel, hostCapabilities } from './label.ts';

/** What the machine is, so that tests can say otherwise. */
export interface HostMachine {
  readonly platform: NodeJS.Platform;
  readonly env: NodeJS.ProcessEnv;
  readonly identity: IdentitySource;
}

/** With less than this the next checkout is likely to fail. */
const scarceBytes = 256 * 1024 * 1024;

/** Opens the backend. @throws BackendError `unavailable` when its folder cannot be made. */
export async function openHostBackend(
  config: HostConfig,
  machine: HostMachine = { platform: process.platform, env: process.env, identity: thisMachine() },
): Promise<TypedBackend<HostLabel>> {
  const parent = path.resolve(config.workdir_parent ?? defaultWorkdirParent(machine.env, machine.platform));
  await openWorkdirParent(parent);
  const engine = config.docker === undefined ? undefined : await readEngineEndpoint(config.docker);
  const living = new Map<string, HostEnvironment>();
  let making = 0;
  const createEnvironment = async (request: EnvironmentRequest, ctx: CallContext): Promise<ExecutionEnvironment> => {
    making += 1;
    try {
      return await openEnvironment({ parent, machine, config, engine, living }, request, ctx);
    } finally {
      making -= 1;
    }
  };
  return {
    describeLabel: async () => (engine === undefined ? hostCapabilities : capabilitiesWithEngine),
    ...(engine === undefined ? {} : { dockerEndpoints: async () => [engine] }),
    createEnvironment,
    sweep: (request) =>
      sweepOwnedFolders(
        {
          parent,
          machine: machine.identity,
          living: new Set(living.keys()),
          isMaking: () => making > 0,
          remove: (root, { marker }) =>
            removeEnvironment({ root, marker: markerOf('ENV', marker), table: machine.identity.table }),
        },
        request,
      ),
    health: () => healthOf(parent, engine),
    [Symbol.asyncDispose]: async () => {
      for (const environment of living.values()) environment.forget();
    },
  };
}

interface HostPlace {
  readonly parent: string;
  readonly machine: HostMachine;
  readonly config: HostConfig;
  readonly engine: DockerEndpointDescriptor | undefined;
  readonly living: Map<string, HostEnvironment>;
}

async function openEnvironment(
  { parent, machine, config, engine, living }: HostPlace,
  request: EnvironmentRequest,
  ctx: CallContext,
): Promise<ExecutionEnvironment> {
  const { name, owner, expiresAt } = request;
  if (ctx.signal.aborted) throw cancelled(`making environment "${name}"`);
  const marker = newMarker('ENV');
  const folders = await makeJobFolders(
    parent,
    {
      version: 1,
      name,
      owner: { runner: owner.runner, boot: owner.boot },
      process: await ownIdentity(machine.identity),
      marker: marker.value,
      expiresAt,
    },
    { hasContainers: engine !== undefined },
  );
  const { platform, env: runnerEnv } = machine;
  const environment = new HostEnvironment({
    name,
    folders,
    marker,
    expiresAt,
    cleanEnv: cleanEnvironment({ runnerEnv, allow: config.env_allow, platform }),
    runnerEnv,
    platform,
    table: machine.identity.table,
    engine,
    onRemoved: () => living.delete(name),
  });
  living.set(name, environment);
  if (ctx.signal.aborted) {
    await environment[Symbol.asyncDispose]();
    throw cancelled(`making environment "${name}"`);
  }
  ctx.emit({ type: 'resource.created', at: Date.now(), environment: name, attributes: { resource: folders.root } });
  return environment;
}

async function healthOf(parent: string, engine: DockerEndpointDescriptor | undefined): Promise<BackendHealth> {
  try {
    await access(parent, constants.W_OK | constants.X_OK);
    const { bavail, bsize } = await statfs(parent);
    const lack = engine === undefined ? undefined : await whyNoEngine(engine);
    if (lack !== undefined) return { status: 'degraded', detail: lack };
    if (bavail * bsize >= scarceBytes) return { status: 'ok' };
    return { status: 'degraded', detail: `less than 256 MiB are free for "${parent}"` };
  } catch (error) {
    return { status: 'down', detail: folderUnavailable(error, 'use', parent).message };
  }
}
