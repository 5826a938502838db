import { mkdirSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConformanceOptions, defineConformance } from '@forgejo-runner/testkit';
import { factory } from '../src/index.ts';
import { hostPlugin, type HostPlugin } from './plugin-fixture.ts';

// One folder for this process and for the child processes of the suite, which get it by their environment.
export const folder: string = (process.env['CONFORMANCE_ALPHA_FOLDER'] ??= join(
  tmpdir(),
  `conformance-alpha-${process.pid}`,
));
const jobs = join(folder, 'jobs');
mkdirSync(jobs, { recursive: true, mode: 0o700 });
const work = join(folder, 'work');
const socket = join(folder, 'plugin.sock');

/** The host backend, served by the protocol of the Go runner and by no other. */
export const plugin: HostPlugin = hostPlugin({
  address: `unix://${socket}`,
  config: { workdir_parent: jobs },
  stateDir: folder,
  protocols: ['v1alpha'],
});

/** What is left of the contract where the protocol can carry it. */
export const conformance: ConformanceOptions = defineConformance({
  factory,
  label: 'test:grpc',
  config: { address: `unix://${socket}`, workdir_parent: work },
  inventory: async () => readdirSync(jobs).filter((name) => name !== 'tool_cache'),
  endpoint: { socket, configFor: (other) => ({ address: `unix://${other}`, workdir_parent: work }) },
  plugin: { kill: plugin.kill, restart: plugin.start },
  exceptions: {
    C12: 'the host backend has no containers of its own; jobs that need one are refused by the plugin',
    C28: 'plugins make a folder that is missing: the first command of the Go runner makes it from within',
    C29: 'the host backend runs everything as its own user; plugins cannot say so before',
    C70: 'jobs of one repository work in one folder, which the host backend has once',
    C80: 'an environment whose id a killed runner never got is found by nobody until its time is over',
    C81: 'environments are found by a journal in the state folder, and this check has another one for each start',
    C90: 'see C28',
  },
  subject: import.meta.filename,
});
