import { mkdirSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConformanceOptions, defineConformance } from '@forgejo-runner/testkit';
import { factory } from '../src/index.ts';
import { hostPlugin, type HostPlugin } from './plugin-fixture.ts';

// One folder for this process and for the child processes of the suite, which get it by their environment.
export const folder: string = (process.env['CONFORMANCE_GRPC_FOLDER'] ??= join(
  tmpdir(),
  `conformance-grpc-${process.pid}`,
));
const jobs = join(folder, 'jobs');
mkdirSync(jobs, { recursive: true, mode: 0o700 });
const socket = join(folder, 'plugin.sock');

/** The host backend, served by this package. Started by the test and by nobody else. */
export const plugin: HostPlugin = hostPlugin({
  address: `unix://${socket}`,
  config: { workdir_parent: jobs },
  stateDir: folder,
});

/** What the conformance suite checks: our client against our server, with the host backend behind. */
export const conformance: ConformanceOptions = defineConformance({
  factory,
  label: 'test:grpc',
  config: { address: `unix://${socket}` },
  inventory: async () => readdirSync(jobs).filter((name) => name !== 'tool_cache'),
  endpoint: { socket, configFor: (other) => ({ address: `unix://${other}` }) },
  unreachable: { config: { address: `unix://${join(folder, 'nobody.sock')}` } },
  plugin: { kill: plugin.kill, restart: plugin.start },
  subject: import.meta.filename,
});
