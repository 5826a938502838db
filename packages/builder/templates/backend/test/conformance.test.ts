import { rm } from 'node:fs/promises';
import { backendConformance } from '@forgejo-runner/testkit/vitest';
import { afterAll } from 'vitest';
import { conformance, parent } from './conformance-subject.ts';

afterAll(() => rm(parent, { recursive: true, force: true }));

backendConformance(conformance);
