import { createRequire } from 'node:module';

/** Version of the bundler, read from its package: loading all of it for that would cost a build that has nothing to do. */
export const esbuildVersion: string =
  // Its package.json has a version, as every package of a registry.
  (createRequire(import.meta.url)('esbuild/package.json') as { readonly version: string }).version;
