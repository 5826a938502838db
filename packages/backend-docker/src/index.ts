export type { DockerEndpoint, EngineFacts } from './driver/endpoint.ts';
