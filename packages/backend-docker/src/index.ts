export type { DockerEndpoint, EngineFacts } from './driver/endpoint.ts';
export { labelKeys, objectLabels } from './driver/object-labels.ts';
