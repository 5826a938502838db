import { rm } from 'node:fs/promises';
import { backendConformance } from '@forgejo-runner/testkit/vitest';
import { afterAll, expect, it } from 'vitest';
import { whyNoLxc } from './lxc-fixture.ts';

// The subject makes a template when it is loaded, which a machine without LXC cannot.
const subject = whyNoLxc === undefined ? await import('./conformance-subject.ts') : undefined;

it('has what the conformance suite needs', ({ skip }) => {
  skip(whyNoLxc !== undefined, whyNoLxc);
  expect(subject).toBeDefined();
});

afterAll(() => (subject === undefined ? undefined : rm(subject.storage, { recursive: true, force: true })));

if (subject !== undefined) backendConformance(subject.conformance);
