import { z } from 'zod';
import { UserError } from '../user-error.ts';

/** What a backend package says about itself in the `forgejoRunner` field of its package.json. */
export interface PackageField {
  /** Major version of the API that it is written for. */
  readonly api: number;
  /** Ids that it provides. */
  readonly backends: readonly string[];
  /** Subpath of the package that exports `factory`. */
  readonly export: string;
}

/** Ids of backends, as labels take them. */
export const backendIdPattern: RegExp = /^[a-z][a-z0-9_-]{0,31}$/;

const backendId = z.string().regex(backendIdPattern, 'expected a backend id: a-z, then up to 31 of a-z 0-9 - _');
const fieldSchema = z
  .object({
    api: z.number().int().positive(),
    backends: z.array(backendId).min(1).exactOptional(),
    // An earlier spelling of `backends`.
    names: z.array(backendId).min(1).exactOptional(),
    export: z
      .string()
      .regex(/^\.(\/[A-Za-z0-9._-]+)*$/, 'expected "." or a subpath such as "./register"')
      .prefault('.'),
  })
  .refine((field) => field.backends !== undefined || field.names !== undefined, {
    path: ['backends'],
    message: 'expected a list of backend ids, found nothing',
  });

/**
 * Reads the `forgejoRunner` field. Keys that this version does not know are left to later ones.
 *
 * @throws UserError `FRB302` when there is none, `FRB303` with all that is wrong with it.
 */
export function readPackageField(value: unknown, packageName: string, hint?: string): PackageField {
  if (value === undefined || value === null) {
    throw new UserError(
      'FRB302',
      `${packageName} is not a runner backend: package.json has no "forgejoRunner" field`,
      hint === undefined ? {} : { next: hint },
    );
  }
  const read = fieldSchema.safeParse(value);
  if (!read.success) throw malformed(read.error, packageName);
  const { api, backends, names } = read.data;
  return { api, backends: [...new Set(backends ?? names ?? [])], export: read.data.export };
}

function malformed(error: z.ZodError, packageName: string): UserError {
  const problems = error.issues.map((issue) => `${['forgejoRunner', ...issue.path].join('.')}: ${issue.message}`);
  return new UserError('FRB303', `${packageName}: ${problems.join('; ')}`, { where: 'package.json', cause: error });
}
