import { dockerDrivers } from '@forgejo-runner/core';
import { dockerDriver } from './driver/driver.ts';

export { factory } from './factory.ts';
export { dockerDriver } from './driver/driver.ts';
export type { DockerConfig } from './config.ts';
export { labelKeys } from './driver/object-labels.ts';

dockerDrivers.register(dockerDriver);
