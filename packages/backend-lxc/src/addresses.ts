import { lstat, open, readFile, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { BackendError } from '@forgejo-runner/core';
import { errnoOf } from '@forgejo-runner/kit';
import * as z from 'zod';
import { findProgram, runTool, type ToolEnd, type ToolRun } from './lxc-commands.ts';

/** The bridge that containers are attached to. */
export interface Bridge {
  readonly name: string;
  readonly address: string;
  readonly prefixLength: number;
}

/** What `ip -j address show` says of an interface, as far as it is needed. */
const answer = z.array(
  z.object({
    addr_info: z.array(z.object({ family: z.string(), local: z.string(), prefixlen: z.int().min(8).max(30) })),
  }),
);

/**
 * Reads the IPv4 address of a bridge. Node does not list a bridge that nothing is attached to yet, so `ip` is asked.
 *
 * @throws BackendError `unavailable` when the machine has no such bridge.
 */
export async function readBridge(
  name: string,
  run: (argv: ToolRun['argv']) => Promise<ToolEnd> = askIp,
): Promise<Bridge> {
  const { code, stdout } = await run([findProgram('ip'), '-j', '-4', 'address', 'show', 'dev', name]);
  const read = answer.safeParse(code === 0 ? parseJson(stdout) : undefined);
  const found = read.data?.flatMap(({ addr_info: all }) => all).find(({ family }) => family === 'inet');
  if (found !== undefined) return { name, address: found.local, prefixLength: found.prefixlen };
  throw new BackendError(
    'unavailable',
    `expected a bridge "${name}" with an IPv4 address on this machine, found none`,
    {
      resource: name,
      hint: 'start the service lxc-net, or set "bridge" or "network" of the backend',
    },
  );
}

function askIp(argv: ToolRun['argv']): Promise<ToolEnd> {
  return runTool({ argv }, { signal: AbortSignal.timeout(5000) });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Where addresses are claimed: not in a folder where anybody may make files, or it could be a symlink. */
export function claimsFolder({ name }: Pick<Bridge, 'name'>): string {
  return `/run/forgejo-runner-lxc-${name}`;
}

/**
 * Gives each container an address of its own at the bridge, so that none needs a DHCP client. Addresses are claimed in a
 * folder that all runners of the machine share, and that is there; a claim counts as long as the folder of its container is there.
 */
export class AddressPool {
  readonly #bridge: Bridge;
  readonly #claims: string;
  readonly #leases: string;

  constructor(bridge: Bridge, places: { readonly claims?: string; readonly leases?: string } = {}) {
    this.#bridge = bridge;
    this.#claims = places.claims ?? claimsFolder(bridge);
    this.#leases = places.leases ?? `/var/lib/misc/dnsmasq.${bridge.name}.leases`;
  }

  /** Claims a free address for the container in `folder`. @throws BackendError `capacity` when none is free. */
  async claim(folder: string): Promise<string> {
    const leased = await this.#leasedAddresses();
    // From the top: the DHCP server of the bridge gives them out from the bottom.
    for (const address of addressesOf(this.#bridge)) {
      if (!leased.has(address) && (await this.#tryClaim(address, folder))) return address;
    }
    throw new BackendError('capacity', `expected a free address at bridge "${this.#bridge.name}", found none`, {
      resource: this.#bridge.name,
      hint: 'give the bridge a larger network',
    });
  }

  /** Gives back the address of the container that was in `folder`. */
  async release(folder: string): Promise<void> {
    for (const name of await readdir(this.#claims).catch(() => [])) {
      const file = path.join(this.#claims, name);
      if ((await readFile(file, 'utf8').catch(() => '')) === folder) await rm(file, { force: true }).catch(() => {});
    }
  }

  async #tryClaim(address: string, folder: string): Promise<boolean> {
    const file = path.join(this.#claims, address);
    for (let attempt = 0; attempt < 2; attempt += 1) {
      try {
        await using handle = await open(file, 'wx', 0o644);
        await handle.writeFile(folder);
        return true;
      } catch (error) {
        if (errnoOf(error) !== 'EEXIST') throw error;
      }
      if (await this.#isHeld(file)) return false;
      // Of another user: it stays until a runner of that one finds it.
      await rm(file, { force: true }).catch(() => {});
    }
    return false;
  }

  async #isHeld(file: string): Promise<boolean> {
    const { size, mtimeMs } = await lstat(file).catch(() => ({ size: 0, mtimeMs: 0 }));
    // Its text comes a moment after its name.
    if (size === 0) return Date.now() - mtimeMs < 10_000;
    const folder = await readFile(file, 'utf8').catch(() => '');
    return lstat(folder).then(
      () => true,
      () => false,
    );
  }

  async #leasedAddresses(): Promise<ReadonlySet<string>> {
    const text = await readFile(this.#leases, 'utf8').catch(() => '');
    return new Set(text.split('\n').map((line) => line.split(' ')[2] ?? ''));
  }
}

/** All addresses that containers can have, the last first. */
export function* addressesOf({ address, prefixLength }: Bridge): Generator<string> {
  const own = toNumber(address);
  const size = 2 ** (32 - prefixLength);
  const first = Math.floor(own / size) * size;
  for (let at = first + size - 2; at > first; at -= 1) if (at !== own) yield toText(at);
}

function toNumber(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

function toText(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}
