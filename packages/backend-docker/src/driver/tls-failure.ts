import { BackendError, type DockerEndpointDescriptor } from '@forgejo-runner/core';

/** Codes of Node and OpenSSL for a certificate of the engine that we do not trust. */
const theirCertificate =
  /^(?:ERR_TLS_CERT_ALTNAME_INVALID|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH|INVALID_)/;
/** And for the engine's refusal of ours. */
const ourCertificate = /^ERR_SSL_.*_ALERT_/;
/** And for files that hold no certificate or key. */
const ourFiles = /^ERR_OSSL_/;

/** What a failure of TLS towards an engine means for its administrator; undefined for any other failure. */
export function tlsFailure(error: unknown, { address, tls }: DockerEndpointDescriptor): BackendError | undefined {
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
  const said = wordsOf(error);
  const failure = (text: string, hint: string): BackendError =>
    new BackendError('auth', text, { resource: address, cause: error, hint });
  if (/WRONG_VERSION_NUMBER|wrong version number/.test(code + said)) {
    return failure(
      `expected TLS at ${address}, found an engine without it`,
      'leave out "tls", or have the engine use TLS',
    );
  }
  if (ourCertificate.test(code)) {
    return failure(
      `the engine at ${address} refuses our certificate: ${said}`,
      'give a certificate of its authority that is for clients',
    );
  }
  if (theirCertificate.test(code)) {
    return failure(
      `cannot trust the engine at ${address}: ${said}`,
      'give the certificate of its authority as "ca", and the name in it as "server_name"',
    );
  }
  if (ourFiles.test(code)) {
    return failure(
      `cannot use the certificate or key for ${address}: ${said}`,
      'check that the files are PEM and belong together',
    );
  }
  // An engine with TLS hangs up on, or sends 400 to, somebody who speaks plain HTTP.
  if (tls === undefined && address.startsWith('tcp://') && /HTTPS server|Parse Error|EPROTO/.test(said)) {
    return failure(
      `expected an engine without TLS at ${address}, found one with it`,
      'give "tls" with ca, cert and key',
    );
  }
  return undefined;
}

/** OpenSSL has a text for people between others for those who work on it. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  const reason = 'reason' in error && typeof error.reason === 'string' ? error.reason : error.message;
  return reason.trim().slice(0, 300);
}
