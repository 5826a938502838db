import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
// The driver makes containers at the endpoints that this backend hands out.
import '@forgejo-runner/backend-docker';
import { factory } from '@forgejo-runner/backend-lxc';
import { type ConformanceOptions, defineConformance } from '@forgejo-runner/testkit';
import { loadTestImages } from './images/load-images.ts';
import { engineConfig, engineLabel } from '../packages/backend-lxc/test/engine-fixture.ts';

const { storage } = engineConfig;
mkdirSync(storage, { recursive: true, mode: 0o711 });

/** The suite on containers with an engine inside. */
export const conformance: ConformanceOptions = defineConformance({
  factory,
  label: `test:${engineLabel}`,
  config: engineConfig,
  inventory: async () => readdirSync(join(storage, 'jobs')),
  images: {
    shell: 'forgejo-runner-test/small:1',
    scratch: { image: 'forgejo-runner-test/program:1', argv: ['/echo', 'ran'] },
    late: { image: 'forgejo-runner-test/late:1', port: 8080 },
    unhealthy: { image: 'forgejo-runner-test/unhealthy:1', says: 'the disk is on fire' },
    quits: { image: 'forgejo-runner-test/quits:1', says: 'no configuration found' },
    loadInto: async ({ address }) => void (await loadTestImages(address, isSmall)),
  },
});

/** The Debian of the test images would take seconds for each environment. */
function isSmall(name: string): boolean {
  return !/debian|foreign/.test(name);
}
