import * as z from 'zod';

/** Where the root file system of a template comes from, when it is not made by debootstrap. */
export type TemplateSource =
  | { readonly rootfs: string }
  | { readonly image: string; readonly engine: 'docker' | 'podman' };

/** The configuration as the schema leaves it. */
export interface LxcConfig {
  readonly storage: string;
  readonly network: 'bridge' | 'host' | 'none';
  readonly bridge: string;
  readonly dns: readonly string[];
  readonly mirror?: string;
  readonly packages: readonly string[];
  readonly template_max_age_hours: number;
  readonly templates: Readonly<Record<string, TemplateSource>>;
  readonly id_map: { readonly first: number; readonly count: number };
  /** What engines in containers read as `/etc/docker/daemon.json`. */
  readonly docker_engine: Readonly<Record<string, unknown>>;
  readonly memory?: number;
  readonly cpus?: number;
  readonly pids?: number;
}

/** What templates get beside a minimal system: an init, what checkouts and most actions need. */
export const defaultPackages: readonly string[] = [
  'ca-certificates',
  'curl',
  'dbus',
  'git',
  'iproute2',
  'nodejs',
  'python3',
  'sudo',
  'systemd-sysv',
];

const folder = z
  .string()
  .regex(/^\/[^\0\n]*$/, 'expected an absolute path')
  // It becomes a part of overlay options and of lines in files of LXC.
  .regex(/^[^:,\\]*$/, 'expected a path without colons, commas and backslashes');

const templateName = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'expected a name of a-z, 0-9, ".", "_" and "-"');

const templateSource: z.ZodType<TemplateSource> = z.union([
  z.strictObject({ rootfs: folder.describe('A tar archive with a root file system, packed or not.') }),
  z.strictObject({
    image: z.string().regex(/^[a-zA-Z0-9][^\s\0]*$/, 'expected the name of an image'),
    engine: z.enum(['docker', 'podman']).prefault('docker').describe('The program that has the image or pulls it.'),
  }),
]);

const limit = z.number().positive();

/** The section `backend.lxc` of the configuration. */
export const configSchema: z.ZodType<LxcConfig> = z
  .strictObject({
    storage: folder
      .prefault('/var/lib/forgejo-runner-lxc')
      .describe('Folder for templates and for the containers of jobs. Other users must be able to pass through it.'),
    network: z
      .enum(['bridge', 'host', 'none'])
      .prefault('bridge')
      .describe('`bridge`: an address at the bridge. `host`: the network of this machine. `none`: only loopback.'),
    bridge: z
      .string()
      .regex(/^[a-zA-Z0-9._-]{1,15}$/, 'expected the name of a network interface')
      .prefault('lxcbr0')
      .describe('The bridge of this machine, such as the one that the service lxc-net makes.'),
    dns: z.array(z.ipv4().or(z.ipv6())).prefault([]).describe('Name servers of containers. Default: the bridge.'),
    mirror: z
      .url({ protocol: /^(?:https?|file)$/, error: 'expected an http, https or file URL' })
      .exactOptional()
      .describe('Where debootstrap gets packages. Default: the mirror of the distribution.'),
    packages: z
      .array(z.string().regex(/^[a-z0-9][a-z0-9+.-]+$/, 'expected the name of a package'))
      .prefault([...defaultPackages])
      .describe('What debootstrap installs beside a minimal system.'),
    template_max_age_hours: limit.prefault(168).describe('Templates that are older are made again.'),
    templates: z
      .record(templateName, templateSource)
      .prefault({})
      .describe('Templates of your own, by the name that labels use: from an archive or an image.'),
    id_map: z
      .strictObject({ first: z.int().min(65_536), count: z.int().min(65_536) })
      .prefault({ first: 1_000_000, count: 65_536 })
      .describe('Users of this machine that stand for those of unprivileged containers.'),
    docker_engine: z
      .record(z.string(), z.json())
      .prefault({})
      .describe('Settings of engines in containers, as their daemon.json has them: `{ registry-mirrors: [URL] }`.'),
    memory: limit.exactOptional().describe('Most memory of a container in MiB; labels can ask for less.'),
    cpus: limit.exactOptional().describe('Most processors of a container; labels can ask for less.'),
    pids: z.int().positive().exactOptional().describe('Most processes of a container; labels can ask for less.'),
  })
  .prefault({});
