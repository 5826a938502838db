import { z } from 'zod';

/** An older major of the API that a release of core still serves, through an adapter. */
export interface ServedApi {
  readonly api: number;
  /** The version that is served: what a peer range is compared with. */
  readonly version: string;
  /** Subpath of core that stands in for all of it: its types and its functions. */
  readonly export: string;
  /** Subpath of core that exports `adapt`, from a factory of that major to one of this. */
  readonly adapter: string;
}

/** The API as a build speaks it. */
export interface SpokenApi {
  readonly version: string;
  readonly served: readonly ServedApi[];
}

/** What the core that is released with this builder serves: known before anything is asked or installed. */
export const servedByRelease: readonly ServedApi[] = [];

const subpath = z.string().regex(/^\.(\/[A-Za-z0-9._-]+)+$/);
const schema = z.object({
  serves: z.array(
    z.object({ api: z.number().int().positive(), version: z.string().min(1), export: subpath, adapter: subpath }),
  ),
});

/** Reads what core says in its own `forgejoRunner` field. Most releases say nothing: they serve their own major. */
export function readServed(field: unknown): readonly ServedApi[] {
  const read = schema.safeParse(field);
  return read.success ? read.data.serves : [];
}
