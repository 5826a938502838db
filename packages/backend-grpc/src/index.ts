export { factory } from './factory.ts';
export { serveBackend, type ServeOptions } from './serve.ts';
