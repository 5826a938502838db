import { existsSync } from 'node:fs';
import { access, chmod, chown, mkdir, statfs, writeFile } from 'node:fs/promises';
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
import { AddressPool, type Bridge, readBridge } from './addresses.ts';
import type { LxcConfig } from './config.ts';
import { type LxcPrograms, removeContainer, startContainer } from './container.ts';
import { containerConfig, layerFolders } from './container-config.ts';
import { openDockerTunnel } from './docker-tunnel.ts';
import { insidePaths, LxcEnvironment } from './environment.ts';
import { startExpiry } from './expiry.ts';
import { type LxcLabel, lxcCapabilities } from './label.ts';
import { findProgram } from './lxc-commands.ts';
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
export async function openLxcBackend(config: LxcConfig, _ctx: CallContext): Promise<TypedBackend<LxcLabel>> {
  const place = await openPlace(config);
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
            const ref = {
              folder,
              parent: place.parent,
              name,
              marker: markerOf('ENV', marker),
              table: place.machine.table,
            };
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

async function openPlace(config: LxcConfig): Promise<LxcPlace> {
  if (process.platform !== 'linux') {
    throw new BackendError('config', `expected Linux, found ${process.platform}`, {
      hint: 'remove the labels of this backend',
    });
  }
  if (process.geteuid?.() !== 0) {
    throw new BackendError('config', 'expected a runner that runs as root, found another user', {
      hint: 'run the runner as root for labels of this backend; jobs can be kept from root with the preset "unprivileged"',
    });
  }
  const programs: LxcPrograms = {
    start: findProgram('lxc-start'),
    stop: findProgram('lxc-stop'),
    info: findProgram('lxc-info'),
    attach: findProgram('lxc-attach'),
    cgroup: findProgram('lxc-cgroup'),
  };
  const parent = path.join(config.storage, 'jobs');
  try {
    // Root of an unprivileged container is a user that needs a way to its files.
    for (const folder of [config.storage, parent, path.join(config.storage, 'templates')]) {
      await mkdir(folder, { recursive: true, mode: 0o711 });
      await chmod(folder, 0o711);
    }
  } catch (error) {
    throw folderUnavailable(error, 'make the folder', config.storage);
  }
  const bridge = config.network === 'bridge' ? await readBridge(config.bridge) : undefined;
  return {
    config,
    programs,
    parent,
    templates: new TemplateStore(config),
    bridge,
    addresses: bridge === undefined ? undefined : new AddressPool(bridge),
    machine: thisMachine(),
    living: new Map(),
    making: 0,
  };
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
  await makeOwnedFolder(parent, content, (draft) => layOut(draft, label, place));
  const ref = { folder, parent, name, marker, table: machine.table };
  try {
    const address = await place.addresses?.claim(folder);
    await writeSettings(place, { folder, name, template, label, marker: marker.text, address });
    startExpiry(programs.stop, { parent, name, expiresAt, marker: marker.env });
    const init = await startContainer(programs, { parent, name }, machine.table, ctx);
    const environment = new LxcEnvironment({
      name,
      parent,
      programs,
      marker,
      table: machine.table,
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

/** What the container finds over its template from the beginning. */
async function layOut(draft: string, label: LxcLabel, { config }: LxcPlace): Promise<void> {
  const shift = label.presets.includes('unprivileged') ? config.id_map.first : 0;
  // Root of the container passes through; nobody else of the machine gets further than the next folder.
  await chmod(draft, 0o711);
  await mkdir(path.join(draft, 'pipes'), { mode: 0o700 });
  const upper = path.join(draft, layerFolders.upper);
  await mkdir(upper, { mode: 0o755 });
  await mkdir(path.join(draft, layerFolders.work), { mode: 0o700 });
  await mkdir(path.join(draft, layerFolders.docker), { mode: 0o711 });
  const made = [upper, path.join(draft, layerFolders.work), path.join(draft, layerFolders.docker)];
  const { home: _home, ...folders } = insidePaths;
  for (const inside of ['/etc', '/opt', '/var', '/var/lib', '/var/lib/forgejo-job', ...Object.values(folders)]) {
    const folder = path.join(upper, inside);
    await mkdir(folder, { recursive: true });
    await chmod(folder, 0o755);
    made.push(folder);
  }
  if (shift > 0) for (const folder of made) await chown(folder, shift, shift);
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
  const upper = path.join(folder, layerFolders.upper);
  const shift = label.presets.includes('unprivileged') ? config.id_map.first : 0;
  const write = async (file: string, text: string): Promise<void> => {
    const inside = path.join(upper, file);
    await writeFile(inside, text, { mode: 0o644, flag: 'wx' });
    await chown(inside, shift, shift);
  };
  await write('etc/hostname', `${name}\n`);
  await write('etc/hosts', `127.0.0.1 localhost\n127.0.1.1 ${name}\n::1 localhost ip6-localhost ip6-loopback\n`);
  const dns = config.dns.length > 0 ? config.dns : bridge === undefined ? [] : [bridge.address];
  if (dns.length > 0) await write('etc/resolv.conf', dns.map((one) => `nameserver ${one}\n`).join(''));
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
