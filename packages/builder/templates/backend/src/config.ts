import * as z from 'zod';

/** `backend.__ID__` of the runner's configuration. */
export interface Config {
  /** Folder for the folders of jobs. Absent: one below the folder that the runner keeps for this backend. */
  readonly workdir_parent?: string | undefined;
}

// Strict, so that the runner names a misspelt key with its line and column.
export const configSchema: z.ZodType<Config> = z
  .strictObject({
    workdir_parent: z.string().startsWith('/', 'expected an absolute path').optional(),
  })
  .prefault({});
