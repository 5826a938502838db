import type { ConformanceOptions } from '../src/index.ts';
import { referenceBackend, referenceCapabilities } from '../src/index.ts';

/** The reference backend as the suite takes it: what it cannot do it does not claim. */
export function referenceSubject(): ConformanceOptions {
  const reference = referenceBackend({
    capabilities: { exec: { ...referenceCapabilities.exec, user: false } },
  });
  return {
    factory: reference.factory,
    label: 'test:reference',
    isRegistered: false,
    inventory: async () => reference.environments(),
    kill: ({ name }) => reference.endEnvironment(name),
    blockRemoval: async () => {
      reference.faults.removeLeaks = true;
      return {
        [Symbol.asyncDispose]: async () => {
          reference.faults.removeLeaks = false;
        },
      };
    },
  };
}
