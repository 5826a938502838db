import type { DockerDriver } from '@forgejo-runner/core';
import { type OnOperation, observer } from './backend-operation.ts';
import { containerMethods, removal } from './observed-environment.ts';

/** What the driver is called where the calls of backends are told apart. */
const driverName = 'docker-driver';

/** The Docker driver, with what it does at the endpoints of environments in spans and told of. */
export function observedDriver(driver: DockerDriver, onOperation?: OnOperation): DockerDriver {
  const observe = observer(driverName, onOperation);
  const { prune } = driver;
  return {
    api: driver.api,
    fields: driver.fields,
    open: async (request, ctx) => {
      const containers = await observe('open', () => driver.open(request, ctx));
      return { ...containerMethods(containers, observe), ...removal(containers, 'removeContainers', observe) };
    },
    sweep: (endpoint, request, ctx) => observe('sweep', () => driver.sweep(endpoint, request, ctx)),
    ...(prune === undefined
      ? {}
      : { prune: (endpoint, request, ctx) => observe('prune', () => prune.call(driver, endpoint, request, ctx)) }),
  };
}
