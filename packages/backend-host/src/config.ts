import * as z from 'zod';

const variablePattern = /^[^=\0*]+\*?$/;

/** The configuration as the schema leaves it. */
export interface HostConfig {
  readonly workdir_parent?: string;
  readonly env_allow?: readonly string[];
}

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
});
