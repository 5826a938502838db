import { backendConformance } from '@forgejo-runner/testkit/vitest';
import { beforeAll, describe } from 'vitest';
import { findEngine } from '../../../e2e/engines.ts';
import { askEngine } from '../../../e2e/images/engine-api.ts';
import { loadTestImages } from '../../../e2e/images/load-images.ts';

const engine = await findEngine('docker');
// Before the module is loaded that reads it, here and in child processes.
if (engine !== undefined) process.env['CONFORMANCE_ENGINE'] = engine.address;
const { conformance } = await import('./conformance-subject.ts');

const canSizeAtStart = engine === undefined || (await minorVersion(engine.address)) >= 42;

/** The 41 of version 1.41 of the interface. */
async function minorVersion(address: string): Promise<number> {
  const { text } = await askEngine(address, { path: '/version' });
  return Number(/"ApiVersion":\s*"1\.(\d+)"/.exec(text)?.[1]);
}

describe.skipIf(engine === undefined)('containers of docker', () => {
  beforeAll(async () => {
    if (engine !== undefined) await loadTestImages(engine.address);
  });
  backendConformance({
    ...conformance,
    title: 'docker',
    exceptions: canSizeAtStart
      ? {}
      : { C40: 'before version 1.42 of its interface it tells a terminal its size only after the start' },
  });
});
