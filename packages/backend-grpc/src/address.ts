import { isIP } from 'node:net';
import { BackendError } from '@forgejo-runner/core';

/** Where a server of the protocol listens. */
export type Address =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

/**
 * Reads an address as the Go runner and gRPC write them: `unix:///path`, `host:port`, `dns:///host:port`, and
 * `tcp://host:port`.
 *
 * @throws BackendError `config` that quotes the address.
 */
export function parseAddress(text: string): Address {
  if (text.startsWith('unix:')) return parseUnix(text);
  const bare = text.replace(/^(?:tcp|dns|passthrough):\/*/, '');
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:/[\]]+)):(\d{1,5})$/.exec(bare) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || Number(port) > 65_535) throw malformed(text);
  if (bracketed !== undefined && isIP(bracketed) !== 6) throw malformed(text);
  return { kind: 'tcp', host, port: Number(port) };
}

function parseUnix(text: string): Address {
  const path = text.replace(/^unix:(?:\/\/)?/, '');
  if (!path.startsWith('/') || path.includes('\0')) throw malformed(text);
  // The system cuts longer names, and answers with a file that nobody asked for.
  if (Buffer.byteLength(path) > 107) {
    throw new BackendError('config', `expected a path of at most 107 bytes for a socket, found ${shown(text)}`);
  }
  return { kind: 'unix', path };
}

/** The address in one spelling, for people. */
export function addressText(address: Address): string {
  if (address.kind === 'unix') return `unix://${address.path}`;
  return isIP(address.host) === 6 ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

function malformed(text: string): BackendError {
  return new BackendError('config', `expected unix:///path or host:port, found ${shown(text)}`);
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 200));
}
