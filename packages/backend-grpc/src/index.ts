export { factory } from './factory.ts';
export { type BackendServer, serveBackend, type ServeOptions } from './serve.ts';
export type { TlsConfig } from './tls.ts';
