import { type Backend, BackendError, type CallContext, type FactoryInput } from '@forgejo-runner/core';
import { addressText, parseAddress } from './address.ts';
import { Connection } from './client/connection.ts';
import { V1Backend } from './client/v1-backend.ts';
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
  input: Pick<FactoryInput, 'owner'>,
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
  const connection = new Connection({
    address,
    ...(tls === undefined ? {} : { tls }),
    owner: input.owner,
    options,
    limits,
    log: ctx.log,
  });
  try {
    await connection.ready(ctx);
    return new V1Backend('grpc', connection);
  } catch (error) {
    await connection[Symbol.asyncDispose]();
    throw error;
  }
}
