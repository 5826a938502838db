import type { ConnectRouter } from '@connectrpc/connect';
import { BackendService } from '../gen/forgejo/runner/backend/v1/backend_pb.ts';
import { BackendPlugin } from '../gen/plugin/v1alpha/plugin_pb.ts';
import { Health, HealthCheckResponse_ServingStatus as ServingStatus } from '../gen/grpc/health/v1/health_pb.ts';
import { statusOfError } from '../platform-errors.ts';
import { BackendError } from '@forgejo-runner/core';
import { callOf } from './call-contexts.ts';
import type { Served } from './served.ts';
import { v1Service } from './v1-service.ts';
import { alphaService } from './v1alpha-service.ts';

/** A protocol that a server may speak. */
export type Protocol = 'v1' | 'v1alpha';

/** Everything that a server answers. */
export function routesOf(served: Served, protocols: readonly Protocol[]): (router: ConnectRouter) => void {
  const names = ['', ...protocols.map((one) => (one === 'v1' ? BackendService : BackendPlugin).typeName)];
  return (router) => {
    if (protocols.includes('v1')) router.service(BackendService, v1Service(served));
    if (protocols.includes('v1alpha')) router.service(BackendPlugin, alphaService(served));
    router.service(Health, {
      check: async ({ service }, context) => {
        if (!names.includes(service)) {
          throw statusOfError(new BackendError('not_found', 'there is no such service here'));
        }
        const { status } = await served.backend.health(callOf(context, served.log));
        return { status: status === 'down' ? ServingStatus.NOT_SERVING : ServingStatus.SERVING };
      },
    });
  };
}
