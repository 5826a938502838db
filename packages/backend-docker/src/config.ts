import * as z from 'zod';
import { type RunOptions, runOptionsSchema } from './driver/run-options.ts';

/** Files for TLS towards an engine. */
export interface TlsFiles {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly server_name?: string;
}

/** What every container that stands in for the machine of a label gets: nothing of it is in the plan of a job. */
export interface ContainerDefaults {
  readonly env: Readonly<Record<string, string>>;
  readonly mounts: readonly { readonly source: string; readonly target: string; readonly readOnly: boolean }[];
  readonly options: RunOptions;
}

/** The configuration as the schema leaves it. */
export interface DockerConfig {
  readonly endpoint?: string | { readonly address: string; readonly tls?: TlsFiles };
  readonly network?: string;
  readonly enable_ipv6: boolean;
  readonly privileged: boolean;
  readonly docker_socket: boolean;
  readonly workdir_parent: string;
  readonly force_pull: boolean;
  readonly force_rebuild: boolean;
  readonly pull_max_age_hours?: number;
  readonly keep_images_hours: number;
  readonly keep_images_bytes?: number;
  readonly memory?: number;
  readonly cpus?: number;
  readonly pids_limit?: number;
  readonly container_options: ContainerDefaults;
}

const text = z.string().min(1, 'expected a text, found an empty one; leave the key out for the default');

const endpoint = z.union([
  text,
  z.strictObject({
    address: text.describe('As the text form.'),
    tls: z
      .strictObject({
        ca: text.describe('File with the certificates that the engine may have its own from.'),
        cert: text.describe('File with the certificate of the runner.'),
        key: text.describe('File with its key.'),
        server_name: text.exactOptional().describe('Name that the certificate of the engine must have.'),
      })
      .exactOptional(),
  }),
]);

const containerOptions = z.strictObject({
  env: z.record(z.string(), z.string()).prefault({}).describe('Variables.'),
  mounts: z
    .array(z.strictObject({ source: z.string(), target: z.string(), readOnly: z.boolean().prefault(false) }))
    .prefault([])
    .describe('Volumes and folders of the machine.'),
  options: runOptionsSchema.prefault({}).describe('Everything else, by the names that jobs have them under.'),
});

/** The section `backend.docker` of the configuration. */
export const configSchema: z.ZodType<DockerConfig> = z.strictObject({
  endpoint: endpoint
    .exactOptional()
    .describe(
      'The engine: unix:///path, tcp://host:port, ssh://user@host or npipe:////./pipe/name. Default: DOCKER_HOST, then the context of docker, then the usual sockets.',
    ),
  network: z
    .string()
    .regex(/^[A-Za-z0-9][\w.-]*$/, 'expected host, none, bridge or the name of a network')
    .exactOptional()
    .describe('Network for all containers, which is never removed. Default: one network for each job.'),
  enable_ipv6: z.boolean().prefault(false).describe('Networks of jobs have IPv6 as well.'),
  privileged: z.boolean().prefault(false).describe('All containers run in privileged mode. Without it none can.'),
  docker_socket: z
    .boolean()
    .prefault(false)
    .describe('Jobs get the socket of the engine at /var/run/docker.sock, and with it the machine of the engine.'),
  workdir_parent: text
    .regex(/^[^\0:]*$/, 'expected a path without ":"')
    .prefault('/workspace')
    .transform((folder) => `/${folder.split('/').filter(Boolean).join('/')}`)
    .refine((folder) => !folder.split('/').includes('..') && folder !== '/', 'expected a folder below "/" without ".."')
    .describe('Folder in containers that the folders of repositories are in.'),
  force_pull: z.boolean().prefault(false).describe('Images of labels are pulled for every job.'),
  force_rebuild: z.boolean().prefault(false).describe('Images of Docker actions are built for every job.'),
  pull_max_age_hours: z
    .number()
    .positive()
    .exactOptional()
    .describe('An image that was pulled longer ago is pulled again. Default: it stays as it is.'),
  keep_images_hours: z
    .number()
    .positive()
    .prefault(30 * 24)
    .describe('Images that the runner built or pulled are removed when no job used them for so long.'),
  keep_images_bytes: z
    .int()
    .positive()
    .exactOptional()
    .describe('Most bytes of such images; those that were not used for longest are removed. Default: no limit.'),
  memory: z.int().positive().exactOptional().describe('Most memory of one container, in bytes.'),
  cpus: z.number().positive().exactOptional().describe('Most processors of one container.'),
  pids_limit: z.int().positive().exactOptional().describe('Most processes of one container.'),
  container_options: containerOptions
    .prefault({})
    .describe('What the container of a label gets; containers of workflows have it from container.options.'),
});
