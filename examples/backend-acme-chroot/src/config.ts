import type { StandardSchemaV1 } from '@forgejo-runner/core';
import * as z from 'zod';

/** `backend.chroot` of the runner's configuration. */
export interface ChrootConfig {
  /** Folder for the sandboxes. Absent: one of the runner's own below the system's temporary folder. */
  readonly workdir_parent?: string | undefined;
  /** Folders of the machine that every sandbox sees, read-only, at the same place. */
  readonly mounts: readonly string[];
  /** Who owns a sandbox where the runner is root: a user id that nobody else has. */
  readonly user_id: number;
}

/** An absolute path that is not the root and climbs nowhere. */
export const folderSchema: z.ZodType<string, string> = z
  .string()
  .regex(/^(\/[^/\0\n]+)+$/, 'expected the absolute path of a folder')
  .refine(
    (path) => !path.split('/').some((part) => part === '.' || part === '..'),
    'expected a path without "." and ".."',
  );

export const configSchema: StandardSchemaV1<unknown, ChrootConfig> = z
  .strictObject({
    workdir_parent: folderSchema.optional(),
    mounts: z.array(folderSchema).prefault([]),
    user_id: z.int().min(1).max(4_294_967_294).prefault(64_321),
  })
  .prefault({});
