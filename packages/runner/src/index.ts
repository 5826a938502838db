export type { BuildInfo } from './build-info.ts';
