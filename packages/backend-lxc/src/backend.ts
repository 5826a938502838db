import { existsSync } from 'node:fs';
import { access, chmod, mkdir, statfs, writeFile } from 'node:fs/promises';
import path from 'node:path';
import {
  BackendError,
  type BackendHealth,
  type CallContext,
  type EnvironmentRequest,
  type ExecutionEnvironment,
  type TypedBackend,
} from '@forgejo-runner/core';
import {
  cancelled,
  folderUnavailable,
  type IdentitySource,
  makeOwnedFolder,
  markerOf,
  newMarker,
  ownIdentity,
  sweepOwnedFolders,
  thisMachine,
} from '@forgejo-runner/kit';
import { AddressPool, type Bridge, claimsFolder, readBridge } from './addresses.ts';
import type { LxcConfig } from './config.ts';
import { type LxcPrograms, removeContainer, startContainer } from './container.ts';
import { containerConfig } from './container-config.ts';
import { openDockerTunnel } from './docker-tunnel.ts';
import { insidePaths, LxcEnvironment } from './environment.ts';
import { startExpiry } from './expiry.ts';
import { layFolder, layLayer, type Layer } from './job-folder.ts';
import { type LxcLabel, lxcCapabilities } from './label.ts';
import { waitForInit } from './init.ts';
import { findProgram } from './lxc-commands.ts';
import { findRootAccess, type RootAccess, runAsRoot } from './root-access.ts';
import { type Template, TemplateStore } from './template.ts';
import { templateRecipe } from './template-recipe.ts';

/** With less than this the next job is likely to fail. */
const scarceBytes = 512 * 1024 * 1024;

/**
 * Opens the backend.
 *
 * @throws BackendError `config` when the machine or user cannot run containers at all, `unavailable` when something that
 * can be mended is missing.
 */
export async function openLxcBackend(config: LxcConfig, ctx: CallContext): Promise<TypedBackend<LxcLabel>> {
  const place = await openPlace(config, ctx);
  return {
    describeLabel: async (label) => {
      templateRecipe(label, config);
      return lxcCapabilities(label);
    },
    createEnvironment: async (request, ctx) => {
      place.making += 1;
      try {
        return await openEnvironment(place, request, ctx);
      } finally {
        place.making -= 1;
      }
    },
    sweep: (request) =>
      sweepOwnedFolders(
        {
          parent: place.parent,
          machine: place.machine,
          living: new Set(place.living.keys()),
          isMaking: () => place.making > 0,
          remove: async (folder, { name, marker }) => {
            const ref = { folder, parent: place.parent, name, marker: markerOf('ENV', marker) };
            const report = await removeContainer(place.programs, ref);
            if (report.leaked.length === 0) await place.addresses?.release(folder);
            return report;
          },
        },
        request,
      ),
    health: () => healthOf(place),
    [Symbol.asyncDispose]: async () => {
      for (const environment of place.living.values()) environment.forget();
    },
  };
}

interface LxcPlace {
  readonly config: LxcConfig;
  readonly programs: LxcPrograms;
  readonly parent: string;
  readonly templates: TemplateStore;
  readonly bridge: Bridge | undefined;
  readonly addresses: AddressPool | undefined;
  readonly machine: IdentitySource;
  readonly living: Map<string, LxcEnvironment>;
  making: number;
}

async function openPlace(config: LxcConfig, ctx: CallContext): Promise<LxcPlace> {
  if (process.platform !== 'linux') {
    throw new BackendError('config', `expected Linux, found ${process.platform}`, {
      hint: 'remove the labels of this backend',
    });
  }
  const root = await findRootAccess(ctx);
  const programs: LxcPrograms = {
    root,
    start: findProgram('lxc-start'),
    stop: findProgram('lxc-stop'),
    info: findProgram('lxc-info'),
    attach: findProgram('lxc-attach'),
    cgroup: findProgram('lxc-cgroup'),
  };
  const parent = path.join(config.storage, 'jobs');
  await openStorage(root, [config.storage, parent, path.join(config.storage, 'templates')], ctx);
  const bridge = config.network === 'bridge' ? await readBridge(config.bridge) : undefined;
  if (bridge !== undefined) {
    // As `/tmp`: runners of several users share it, and each removes its own claims only.
    await runAsRoot(root, 'install -d -m 1777 -- "$1"', [claimsFolder(bridge)], ctx);
  }
  return {
    config,
    programs,
    parent,
    templates: new TemplateStore(config, root),
    bridge,
    addresses: bridge === undefined ? undefined : new AddressPool(bridge),
    machine: thisMachine(root.table),
    living: new Map(),
    making: 0,
  };
}

// For a user who is not root, who owns them then.
const makeFolders =
  'owner=$1; shift; for folder; do [ -d "$folder" ] || install -d -m 0711 -o "$owner" -- "$folder"; done';

async function openStorage(root: RootAccess, folders: readonly string[], ctx: CallContext): Promise<void> {
  const [storage = ''] = folders;
  try {
    if (root.kind === 'sudo') await runAsRoot(root, makeFolders, [String(process.geteuid?.()), ...folders], ctx);
    for (const folder of folders) {
      await mkdir(folder, { recursive: true, mode: 0o711 });
      // Root of an unprivileged container is a user that needs a way to its files.
      await chmod(folder, 0o711);
    }
  } catch (error) {
    throw folderUnavailable(error, 'make the folder', storage);
  }
}

async function openEnvironment(
  place: LxcPlace,
  request: EnvironmentRequest & { readonly options: LxcLabel },
  ctx: CallContext,
): Promise<ExecutionEnvironment> {
  const { name, owner, expiresAt, options: label } = request;
  const { parent, programs, machine } = place;
  if (ctx.signal.aborted) throw cancelled(`making environment "${name}"`);
  const template = await place.templates.provide(label, ctx);
  const marker = newMarker('ENV');
  const folder = path.join(parent, name);
  const identity = await ownIdentity(machine);
  const content = {
    version: 1,
    name,
    owner: { runner: owner.runner, boot: owner.boot },
    process: identity,
    marker: marker.value,
    expiresAt,
  } as const;
  await makeOwnedFolder(parent, content, layFolder);
  const ref = { folder, parent, name, marker };
  try {
    await layLayer(programs.root, folder, layerOf(place, name, label), ctx);
    const address = await place.addresses?.claim(folder);
    await writeSettings(place, { folder, name, template, label, marker: marker.text, address });
    startExpiry(programs, { parent, name, expiresAt, marker: marker.env });
    const init = await startContainer(programs, { parent, name }, ctx);
    const environment = new LxcEnvironment({
      name,
      parent,
      programs,
      marker,
      init,
      expiresAt,
      runnerAddress: runnerAddress(place),
      onRemoved: async () => {
        place.living.delete(name);
        await place.addresses?.release(folder);
      },
    });
    place.living.set(name, environment);
    ctx.emit({ type: 'resource.created', at: Date.now(), environment: name, attributes: { resource: folder } });
    if (template.hasInit) await waitForInit(environment.container, ctx);
    if (label.docker) {
      environment.setDocker(await openDockerTunnel(environment.container, path.join(folder, 'docker.sock'), ctx));
    }
    if (ctx.signal.aborted) throw cancelled(`making environment "${name}"`);
    return environment;
  } catch (error) {
    const report = await removeContainer(programs, ref);
    for (const { resource, error: text } of report.leaked) ctx.log.warn(`${resource} is left: ${text}`);
    place.living.get(name)?.forget();
    place.living.delete(name);
    if (report.leaked.length === 0) await place.addresses?.release(folder);
    if (ctx.signal.aborted) throw cancelled(`making environment "${name}"`);
    throw error;
  }
}

function layerOf({ config, bridge }: LxcPlace, name: string, label: LxcLabel): Layer {
  const { home: _home, ...folders } = insidePaths;
  const dns = config.dns.length > 0 ? config.dns : bridge === undefined ? [] : [bridge.address];
  const hasSettings = label.docker && Object.keys(config.docker_engine).length > 0;
  return {
    rootId: label.presets.includes('unprivileged') ? config.id_map.first : 0,
    folders: ['/etc', ...(hasSettings ? ['/etc/docker'] : []), ...Object.values(folders)],
    files: {
      '/etc/hostname': `${name}\n`,
      '/etc/hosts': `127.0.0.1 localhost\n127.0.1.1 ${name}\n::1 localhost ip6-localhost ip6-loopback\n`,
      ...(dns.length > 0 ? { '/etc/resolv.conf': dns.map((one) => `nameserver ${one}\n`).join('') } : {}),
      ...(hasSettings ? { '/etc/docker/daemon.json': `${JSON.stringify(config.docker_engine)}\n` } : {}),
    },
  };
}

interface Settings {
  readonly folder: string;
  readonly name: string;
  readonly template: Template;
  readonly label: LxcLabel;
  readonly marker: string;
  readonly address: string | undefined;
}

async function writeSettings({ config, bridge }: LxcPlace, settings: Settings): Promise<void> {
  const { folder, name, template, label, marker, address } = settings;
  const text = containerConfig({
    name,
    folder,
    rootfs: template.rootfs,
    config,
    label,
    address: address === undefined ? undefined : `${address}/${bridge?.prefixLength ?? 24}`,
    hasInit: template.hasInit,
    marker,
    hasDevice: existsSync,
    cgroupVersion: existsSync('/sys/fs/cgroup/cgroup.controllers') ? 2 : 1,
  });
  await writeFile(path.join(folder, 'config'), text, { mode: 0o600, flag: 'wx' });
}

function runnerAddress({ config, bridge }: LxcPlace): string | undefined {
  if (config.network === 'host') return '127.0.0.1';
  return bridge?.address;
}

async function healthOf({ parent, config }: LxcPlace): Promise<BackendHealth> {
  try {
    await access(parent);
    if (config.network === 'bridge') await readBridge(config.bridge);
    const { bavail, bsize } = await statfs(parent);
    if (bavail * bsize >= scarceBytes) return { status: 'ok' };
    return { status: 'degraded', detail: `less than 512 MiB are free for "${config.storage}"` };
  } catch (error) {
    return { status: 'down', detail: error instanceof Error ? error.message : String(error) };
  }
}
