import { coreName } from '../resolve/installation.ts';
import type { ResolvedBackend } from '../resolve/resolved-package.ts';

/** The generated modules that import one backend between a beginning and an end, so that it is known who registered. */
export interface BackendModule {
  /** File that the entry imports. */
  readonly file: string;
  /** File that this one imports first. */
  readonly beginFile: string;
  readonly packageName: string;
  readonly version: string;
  /** What to import: the package, or the subpath that its field names. */
  readonly specifier: string;
  /** What makes a factory of an older API one of this. */
  readonly adapter?: string;
}

/** Names the modules of each backend, in the order of registration. */
export function backendModules(backends: readonly ResolvedBackend[]): readonly BackendModule[] {
  return backends.map((backend, index) => ({
    file: `backend-${index + 1}.mjs`,
    beginFile: `backend-${index + 1}-begin.mjs`,
    packageName: backend.name,
    version: backend.version,
    specifier: `${backend.name}${backend.field.export.slice(1)}`,
    ...(backend.served === undefined ? {} : { adapter: coreName + backend.served.adapter.slice(1) }),
  }));
}
