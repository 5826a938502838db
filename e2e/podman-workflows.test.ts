import { chosenCases, sampleOfCases, testOnEngine } from './container-workflows.ts';
import { findEngine } from './engines.ts';

// Podman takes several times as long for each container, and longer without root.
const isNightly = process.env['FORGEJO_RUNNER_NIGHTLY'] !== undefined;
const few = sampleOfCases().filter((_, index) => index % 7 === 0);

const unlike = {
  'containers/options': 'podman 4.3 lays the limits of its own configuration over those that are asked for',
};

testOnEngine('podman', await findEngine('podman'), isNightly ? chosenCases() : few, unlike);
testOnEngine(
  'podman without root',
  isNightly ? await findEngine('rootless podman') : undefined,
  isNightly ? sampleOfCases() : few,
  unlike,
);
