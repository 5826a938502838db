import { chosenCases, testOnEngine } from './container-workflows.ts';
import { findEngine } from './engines.ts';

// Podman takes several times as long for each container.
const isNightly = process.env['FORGEJO_RUNNER_NIGHTLY'] !== undefined;
const ofRoot = isNightly ? await findEngine('podman') : undefined;
const rootless = isNightly ? await findEngine('rootless podman') : undefined;

testOnEngine('podman', ofRoot, chosenCases());
testOnEngine('podman without root', rootless, chosenCases());
