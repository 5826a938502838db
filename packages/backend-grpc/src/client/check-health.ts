import { type CallOptions, type Client, Code, ConnectError } from '@connectrpc/connect';
import { BackendError } from '@forgejo-runner/core';
import { type Health, HealthCheckResponse_ServingStatus as ServingStatus } from '../gen/grpc/health/v1/health_pb.ts';
import { errorOfStatus, isConnectionLoss } from '../platform-errors.ts';

/** Asks a server whether it serves. @throws BackendError `unavailable` where it does not, or nobody answers. */
export async function checkHealth(client: Client<typeof Health>, what: string, options: CallOptions): Promise<void> {
  try {
    const { status } = await client.check({}, options);
    if (status === ServingStatus.SERVING) return;
  } catch (error) {
    // A server without that service is one all the same.
    if (ConnectError.from(error).code === Code.Unimplemented) return;
    const found = errorOfStatus(error, what);
    // Who does not answer while we connect, or hangs up, is not there, whatever the status says.
    if (found.code !== 'timeout' && !isConnectionLoss(error)) throw found;
    throw new BackendError('unavailable', found.message, { cause: error });
  }
  throw new BackendError('unavailable', `${what}: it says that it does not serve now`);
}
