import type { ConnectRouter } from '@connectrpc/connect';
import { BackendService } from '../gen/forgejo/runner/backend/v1/backend_pb.ts';
import { Health, HealthCheckResponse_ServingStatus as ServingStatus } from '../gen/grpc/health/v1/health_pb.ts';
import { statusOfError } from '../platform-errors.ts';
import { BackendError } from '@forgejo-runner/core';
import { callOf } from './call-contexts.ts';
import type { Served } from './served.ts';
import { v1Service } from './v1-service.ts';

const names: readonly string[] = ['', BackendService.typeName];

/** Everything that a server answers. */
export function routesOf(served: Served): (router: ConnectRouter) => void {
  return (router) => {
    router.service(BackendService, v1Service(served));
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
