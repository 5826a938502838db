import { Code, ConnectError } from '@connectrpc/connect';
import { type Backend, BackendError, type CallContext, type FactoryInput, isBackendError } from '@forgejo-runner/core';
import { addressText, parseAddress } from './address.ts';
import { Connection } from './client/connection.ts';
import { V1Backend } from './client/v1-backend.ts';
import { AlphaBackend } from './client/v1alpha-backend.ts';
import { AlphaConnection } from './client/v1alpha-connection.ts';
import type { GrpcConfig } from './config.ts';
import { defaultLimits, type Limits } from './limits.ts';
import { readTls } from './tls.ts';

/**
 * Opens a backend behind an address, in the protocol that it speaks.
 *
 * @throws BackendError `config` for what must not be dialled like that, `unavailable` where nobody answers.
 */
export async function openGrpcBackend(
  config: GrpcConfig,
  input: Pick<FactoryInput, 'owner' | 'stateDir'>,
  ctx: CallContext,
  limits: Limits = defaultLimits,
): Promise<Backend> {
  const address = parseAddress(config.address);
  const { options, insecure_tcp: isInsecure } = config;
  if (address.kind === 'tcp' && config.tls === undefined && !isInsecure) {
    throw new BackendError('config', `expected tls for ${addressText(address)}, found none`, {
      hint: 'give certificates, use a socket, or allow it with insecure_tcp: true where nobody else is on the way',
    });
  }
  const tls = config.tls === undefined ? undefined : await readTls(config.tls);
  const place = { address, ...(tls === undefined ? {} : { tls }), limits, log: ctx.log };
  const connection = new Connection({ ...place, owner: input.owner, options });
  try {
    await connection.ready(ctx);
    return new V1Backend('grpc', connection);
  } catch (error) {
    await connection[Symbol.asyncDispose]();
    if (!isUnknownProtocol(error)) throw error;
  }
  const alpha = new AlphaConnection(place);
  try {
    await alpha.ready(ctx.signal);
    return new AlphaBackend('grpc', alpha, { options, stateDir: input.stateDir, workdirParent: config.workdir_parent });
  } catch (error) {
    await alpha[Symbol.asyncDispose]();
    if (!isUnknownProtocol(error)) throw error;
    const text = `${connection.name} speaks neither forgejo.runner.backend.v1 nor plugin.v1alpha`;
    throw new BackendError('unsupported', text, { cause: error });
  }
}

/** The server is there and has no such service. */
function isUnknownProtocol(error: unknown): boolean {
  return isBackendError(error) && ConnectError.from(error.cause).code === Code.Unimplemented;
}
