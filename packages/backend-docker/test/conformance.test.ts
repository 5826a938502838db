import { backendConformance } from '@forgejo-runner/testkit/vitest';
import { beforeAll, describe } from 'vitest';
import { findEngine } from '../../../e2e/engines.ts';
import { loadTestImages } from '../../../e2e/images/load-images.ts';

const engine = await findEngine('docker');
// Before the module is loaded that reads it, here and in child processes.
if (engine !== undefined) process.env['CONFORMANCE_ENGINE'] = engine.address;
const { conformance } = await import('./conformance-subject.ts');

describe.skipIf(engine === undefined)('containers of docker', () => {
  beforeAll(async () => {
    if (engine !== undefined) await loadTestImages(engine.address);
  });
  backendConformance({ ...conformance, title: 'docker' });
});
