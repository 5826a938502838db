export { factory } from './factory.ts';
export type { LxcConfig } from './config.ts';
