import { rm } from 'node:fs/promises';
import { backendConformance } from '@forgejo-runner/testkit/vitest';
import { afterAll, beforeAll } from 'vitest';
import { conformance, folder, plugin } from './v1alpha-subject.ts';

beforeAll(plugin.start);

afterAll(async () => {
  await plugin[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

backendConformance({ ...conformance, title: 'the host backend behind plugin.v1alpha' });
