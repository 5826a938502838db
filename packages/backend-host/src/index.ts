export { factory } from './factory.ts';
export { defaultEnvAllow } from './clean-environment.ts';
export type { HostConfig } from './config.ts';
