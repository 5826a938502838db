import type { Mount, Port } from '@forgejo-runner/core';
import { quoted } from '../user-error.ts';

/** What a text came to, or what was expected instead. */
export type Read<T> = { readonly value: T } | { readonly problem: string };

/** A limit of the resources of a process, as `ulimit` knows them. */
export interface Ulimit {
  readonly name: string;
  readonly soft: number;
  readonly hard: number;
}

/** A device of the machine in a container. */
export interface Device {
  readonly source: string;
  readonly target: string;
  /** Of `r`, `w` and `m`. */
  readonly permissions: string;
}

const unitPowers = 'bkmgtp';
const maxPortsInRange = 1000;

function expected(what: string, found: string): { readonly problem: string } {
  return { problem: `expected ${what}, found ${quoted(found)}` };
}

/** A size such as `512m`, `2gb` or `1.5GiB`, in bytes. A unit is a power of 1024, as Docker has it. */
export function readBytes(text: string): Read<number> {
  const [, amount, unit] = /^(\d{1,15}(?:\.\d{1,9})?) ?([bkmgtp])?(?:i?b)?$/i.exec(text) ?? [];
  const bytes = Math.floor(Number(amount) * 1024 ** Math.max(0, unitPowers.indexOf((unit ?? 'b').toLowerCase())));
  return Number.isSafeInteger(bytes) && bytes > 0 ? { value: bytes } : expected('a size such as 512m or 2g', text);
}

/** A whole number within limits. */
export function readCount(text: string, limits: { readonly min: number; readonly max: number }): Read<number> {
  const value = Number(text);
  if (/^-?\d{1,15}$/.test(text) && value >= limits.min && value <= limits.max) return { value };
  return expected(`a whole number from ${limits.min} to ${limits.max}`, text);
}

/** A number of processors such as `1.5`. */
export function readCpus(text: string): Read<number> {
  const value = Number(text);
  return /^\d{1,5}(?:\.\d{1,9})?$/.test(text) && value > 0 ? { value } : expected('a number above 0 such as 1.5', text);
}

/** Raising these takes time away from other jobs. */
const greedyLimits = ['nice', 'rtprio', 'rttime'];
const limitNames = 'core cpu data fsize locks memlock msgqueue nofile nproc rss sigpending stack'.split(' ');

/** `name=soft[:hard]`; -1 is no limit. */
export function readUlimit(text: string): Read<Ulimit> {
  const [, name = '', soft, hard] = /^([a-z]+)=(-?\d{1,15})(?::(-?\d{1,15}))?$/.exec(text) ?? [];
  const limit = { name, soft: Number(soft), hard: Number(hard ?? soft) };
  const isOrdered = limit.hard === -1 || (limit.soft !== -1 && limit.soft <= limit.hard);
  const isKnown = limitNames.includes(name) || greedyLimits.includes(name);
  if (isKnown && isOrdered && limit.soft >= -1 && limit.hard >= -1) return { value: limit };
  return expected('a limit such as nofile=1024 or nofile=1024:2048', text);
}

/** Whether a limit of this name is one that a job could take time from other jobs with. */
export function isGreedy({ name }: Ulimit): boolean {
  return greedyLimits.includes(name);
}

/** `NAME=value`. Docker takes a name alone from the environment of whoever calls it, which here is the runner's. */
export function readAssignment(text: string): Read<readonly [name: string, value: string]> {
  const at = text.indexOf('=');
  const isFit = at > 0 && !text.includes('\0');
  return isFit ? { value: [text.slice(0, at), text.slice(at + 1)] } : expected('NAME=value', text);
}

/** `host:address`, where the address may be `host-gateway`. */
export function readExtraHost(text: string): Read<string> {
  const [, name, address] = /^([A-Za-z0-9_][\w.-]*)[:=]\[?([0-9A-Fa-f.:]+|host-gateway)\]?$/.exec(text) ?? [];
  if (name === undefined || address === undefined) return expected('host:address such as db:10.0.0.2', text);
  return { value: `${name}:${address}` };
}

/** `os/arch[/variant]`. */
export function readPlatform(text: string): Read<string> {
  return /^[a-z0-9]+\/[a-z0-9_]+(?:\/[a-z0-9]+)?$/.test(text)
    ? { value: text }
    : expected('os/arch such as linux/arm64', text);
}

/** `path[:options]` of a file system in memory. */
export function readTmpfs(text: string): Read<readonly [path: string, options: string]> {
  const [, path, options = ''] = /^(\/[^:]*)(?::([\w=,.%-]*))?$/.exec(text) ?? [];
  return path === undefined ? expected('/path[:options] such as /run:size=64m', text) : { value: [path, options] };
}

/** `source[:target[:permissions]]`. */
export function readDevice(text: string): Read<Device> {
  const [, source, target, permissions] = /^(\/[^:]+)(?::(\/[^:]+))?(?::([rwm]{1,3}))?$/.exec(text) ?? [];
  if (source === undefined) return expected('/dev/name[:/dev/name[:rwm]]', text);
  return { value: { source, target: target ?? source, permissions: permissions ?? 'rwm' } };
}

/** Modes of a volume that change nothing on Linux, which other systems ask for. */
const idleModes = ['cached', 'consistent', 'delegated', 'rw'];

/** `[source:]target[:mode]`; a drive letter is part of a path. */
export function readVolume(text: string): Read<Mount> {
  const path = '[A-Za-z]:[\\\\/][^:]*|[^:]+';
  const pattern = new RegExp(`^(?:(${path}):)?(${path.replace('[^:]+', '/[^:]*')})(?::([a-zA-Z,]+))?$`);
  const [, source = '', target, modes] = pattern.exec(text) ?? [];
  const wanted = modes?.split(',') ?? [];
  const isKnown = wanted.every((mode) => mode === 'ro' || idleModes.includes(mode));
  if (target === undefined || !isKnown) return expected('source:target[:ro]', text);
  return { value: { source, target, readOnly: wanted.includes('ro') } };
}

/** A mount in the long form: `type=bind,source=/a,target=/b,readonly`. */
export function readMountOption(
  text: string,
): Read<{ readonly mount: Mount } | { readonly tmpfs: readonly [string, string] }> {
  const form = 'type=bind|volume|tmpfs,source=…,target=/…[,readonly]';
  const given = new Map(
    text.split(',').map((pair): [string, string] => {
      const [key = '', ...value] = pair.split('=');
      return [mountKeys[key.trim().toLowerCase()] ?? key, value.join('=') || 'true'];
    }),
  );
  // Options for drivers can make a volume of any folder of the machine: none of them is taken.
  const unknown = [...given.keys()].find((key) => !Object.values(mountKeys).includes(key));
  if (unknown !== undefined) return { problem: `expected ${form}, found the key ${quoted(unknown)}` };
  const [type, source, target] = [given.get('type') ?? 'volume', given.get('source') ?? '', given.get('target') ?? ''];
  const isAbsolute = /^(?:\/|[A-Za-z]:[\\/])/.test(target);
  const readonly = given.get('readonly') ?? 'false';
  if (!isAbsolute || !['true', 'false', '1', '0'].includes(readonly)) return expected(form, text);
  if (type === 'tmpfs' && source === '') return { value: { tmpfs: [target, tmpfsOptions(given)] } };
  const hasFit = type === 'bind' ? isPath(source) : type === 'volume' && !isPath(source);
  const isMemory = given.has('tmpfs-size') || given.has('tmpfs-mode');
  if (!hasFit || isMemory) return expected(form, text);
  return { value: { mount: { source, target, readOnly: readonly === 'true' || readonly === '1' } } };
}

const mountKeys: Readonly<Record<string, string>> = {
  type: 'type',
  source: 'source',
  src: 'source',
  target: 'target',
  destination: 'target',
  dst: 'target',
  readonly: 'readonly',
  ro: 'readonly',
  'tmpfs-size': 'tmpfs-size',
  'tmpfs-mode': 'tmpfs-mode',
};

function tmpfsOptions(given: ReadonlyMap<string, string>): string {
  const [size, mode] = [given.get('tmpfs-size'), given.get('tmpfs-mode')];
  return [...(size === undefined ? [] : [`size=${size}`]), ...(mode === undefined ? [] : [`mode=${mode}`])].join(',');
}

/** Whether the source of a mount is a path of the machine, and not the name of a volume. */
export function isPath(source: string): boolean {
  return /^(?:[/\\.~]|[A-Za-z]:[\\/])/.test(source);
}

/** `[host:]container[/protocol]`, also ranges of the same length on both sides. */
export function readPorts(text: string): Read<readonly Port[]> {
  const what = '[host:]container[/tcp|/udp]';
  const range = '(\\d{1,5})(?:-(\\d{1,5}))?';
  const [whole, host, hostEnd, first, last, protocol] =
    new RegExp(`^(?:${range}:)?${range}(?:/(tcp|udp))?$`).exec(text) ?? [];
  if (whole === undefined) return expected(what, text);
  const [start, end] = [Number(first), Number(last ?? first)];
  const count = end - start + 1;
  const hostStart = host === undefined ? undefined : Number(host);
  const hostCount = host === undefined ? count : Number(hostEnd ?? host) - Number(host) + 1;
  const isFit = start >= 1 && end <= 65_535 && count >= 1 && count <= maxPortsInRange && hostCount === count;
  if (!isFit || (hostStart ?? 0) + count - 1 > 65_535) return expected(what, text);
  const value = Array.from({ length: count }, (_, step): Port => {
    // 0 lets the engine choose, as leaving it out does.
    const own = hostStart === undefined || hostStart === 0 ? {} : { host: hostStart + step };
    return { container: start + step, ...own, protocol: protocol === 'udp' ? 'udp' : 'tcp' };
  });
  return { value };
}
