import { readFile } from 'node:fs/promises';
import type { DetailedPeerCertificate, PeerCertificate, TLSSocket } from 'node:tls';
import { BackendError } from '@forgejo-runner/core';
import { fileError } from '@forgejo-runner/kit';

/** Files and names for one end of a TLS connection, as they stand in a configuration. */
export interface TlsConfig {
  /** Certificates of authorities, in place of those of the system. */
  readonly ca?: string;
  /** Own certificate, and its key. */
  readonly cert?: string;
  readonly key?: string;
  /** Name in the certificate of the server, where that is not its host. */
  readonly server_name?: string;
  /** SHA-256 fingerprints of certificates: only these peers are talked to. */
  readonly pinned?: readonly string[];
}

/** The same with the files read. */
export interface TlsMaterial {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  readonly serverName?: string;
  readonly pinned: readonly string[];
}

/** Reads the files. @throws BackendError that names a file that cannot be read. */
export async function readTls(config: TlsConfig): Promise<TlsMaterial> {
  const read = async (name: 'ca' | 'cert' | 'key'): Promise<Partial<Record<typeof name, Buffer>>> => {
    const file = config[name];
    if (file === undefined) return {};
    try {
      return { [name]: await readFile(file) };
    } catch (error) {
      throw new BackendError('config', fileError(error, `read tls.${name}`, file).message, { cause: error });
    }
  };
  const [ca, cert, key] = await Promise.all([read('ca'), read('cert'), read('key')]);
  const { server_name: serverName, pinned = [] } = config;
  return {
    ...ca,
    ...cert,
    ...key,
    ...(serverName === undefined ? {} : { serverName }),
    pinned: pinned.map(bareFingerprint),
  };
}

/** Hexadecimal digits of a fingerprint, however it is written: `openssl x509 -fingerprint -sha256` puts colons in it. */
export function bareFingerprint(text: string): string {
  return text
    .replace(/^sha-?256[:=\s]*/i, '')
    .replaceAll(/[:\s]/g, '')
    .toLowerCase();
}

/** Why a peer is none of those that are pinned; `undefined` where it is one, or none is. */
export function whyNotPinned(
  certificate: PeerCertificate | DetailedPeerCertificate | undefined,
  pinned: readonly string[],
): string | undefined {
  if (pinned.length === 0) return undefined;
  const found = bareFingerprint(certificate?.fingerprint256 ?? '');
  if (found !== '' && pinned.includes(found)) return undefined;
  return `expected the certificate of a pinned peer, found ${found === '' ? 'none' : `one with the fingerprint ${found}`}`;
}

/** The certificate that the other side showed. */
export function peerOf(socket: TLSSocket): PeerCertificate | undefined {
  const found = socket.getPeerCertificate();
  // An empty object where there is none.
  return Object.keys(found).length === 0 ? undefined : found;
}
