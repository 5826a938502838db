import { rm } from 'node:fs/promises';
import { backendConformance } from '@forgejo-runner/testkit/vitest';
import { afterAll, expect, it } from 'vitest';
import { whyNoLxc } from './lxc-fixture.ts';

// Before the subject is loaded, here and in the child processes of the suite.
process.env['CONFORMANCE_LXC_LABEL'] = 'test:lxc://test::unprivileged';
const subject = whyNoLxc === undefined ? await import('./conformance-subject.ts') : undefined;

it('has what the conformance suite needs', ({ skip }) => {
  skip(whyNoLxc !== undefined, whyNoLxc);
  expect(subject?.conformance.label).toBe('test:lxc://test::unprivileged');
});

afterAll(() => (subject === undefined ? undefined : rm(subject.storage, { recursive: true, force: true })));

if (subject !== undefined) backendConformance({ ...subject.conformance, title: 'lxc, unprivileged' });
