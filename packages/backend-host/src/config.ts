import * as z from 'zod';

const variablePattern = /^[^=\0*]+\*?$/;

/** An engine for the containers of jobs, by its address or with more. */
export type EngineConfig =
  | string
  | {
      readonly address: string;
      readonly tls?: {
        readonly ca: string;
        readonly cert: string;
        readonly key: string;
        readonly server_name?: string;
      };
      readonly shares_paths?: boolean;
    };

/** The configuration as the schema leaves it. */
export interface HostConfig {
  readonly workdir_parent?: string;
  readonly env_allow?: readonly string[];
  readonly docker?: EngineConfig;
}

const address = z
  .string()
  .regex(
    /^(?:unix:\/\/\/|npipe:\/\/\/\/|tcp:\/\/[^/\s]+$)/,
    'expected unix:///path, tcp://host:port or npipe:////./pipe/name; forward an engine behind ssh:// to a socket first',
  )
  .refine((text) => !text.startsWith('tcp:') || URL.canParse(text), 'expected tcp://host:port');

const file = z.string().min(1, 'expected a file, found an empty text');

const engine: z.ZodType<EngineConfig> = z.union([
  address,
  z.strictObject({
    address,
    tls: z
      .strictObject({ ca: file, cert: file, key: file, server_name: z.string().min(1).exactOptional() })
      .exactOptional()
      .describe('Files with the certificate authority of the engine, and with the certificate and key to show it.'),
    shares_paths: z
      .boolean()
      .exactOptional()
      .describe('Whether it sees the folders of this machine under their paths. Default: on this machine it does.'),
  }),
]);

/** The section `backend.host` of the configuration. */
export const configSchema: z.ZodType<HostConfig> = z.strictObject({
  workdir_parent: z
    .string()
    .min(1, 'expected a folder, found an empty text; leave the key out for the default')
    .exactOptional()
    .describe('Folder for the folders of jobs. Default: forgejo-runner-host in the cache folder of the user.'),
  env_allow: z
    .array(z.string().regex(variablePattern, 'expected the name of a variable, with "*" at most at its end'))
    .exactOptional()
    .describe('Variables of the runner that jobs get, instead of the default list. LC_* stands for all that begin so.'),
  docker: engine
    .exactOptional()
    .describe('Engine for containers, services and Docker actions of jobs. Default: none, and such jobs are refused.'),
});
