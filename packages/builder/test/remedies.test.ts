import { cp } from 'node:fs/promises';
import { openTempFolder, type TempFolder } from '@forgejo-runner/testkit';
import { expect, it } from 'vitest';
import { fixture, openWorkplace, runBuilt, withFixtureRunner } from './run-builder.ts';

/** A backend with a package in the shape of dockerode 5.0.1, and what that one depends on. */
async function withDockerode(): Promise<TempFolder> {
  const folder = await openTempFolder();
  await cp(fixture('good'), folder.path, { recursive: true });
  const session = `var protoLoader = require("@grpc/proto-loader"), path = require("path");
exports.open = () => protoLoader.loadSync(
      path.resolve(__dirname, "proto", "auth.proto")
    );\n`;
  const buildkit = `var protobuf = require("protobufjs"); var path = require("path");
exports.decode = () => protobuf.loadSync(
    path.resolve(__dirname, "proto", "buildkit_status.proto")
  ).text;\n`;
  const modules = 'node_modules/';
  await folder.write({
    'index.js': `import { open } from 'dockerode/lib/session.js';
import { decode } from 'dockerode/lib/buildkit.js';
import { defineBackend } from '@forgejo-runner/core';
const anything = { '~standard': { version: 1, vendor: 'fixture', validate: (value) => ({ value }) } };
export const factory = defineBackend({ id: 'good', description: 'x', config: anything, label: anything,
  create: async () => { throw new Error(JSON.stringify([open(), decode()])); } });\n`,
    [`${modules}dockerode/package.json`]: '{"name":"dockerode","version":"5.0.1"}',
    [`${modules}dockerode/lib/session.js`]: session,
    [`${modules}dockerode/lib/buildkit.js`]: buildkit,
    [`${modules}dockerode/lib/proto/auth.proto`]: 'service Auth { "quoted" $& }\n',
    [`${modules}dockerode/lib/proto/buildkit_status.proto`]: 'message Status {}\n',
    [`${modules}@grpc/proto-loader/package.json`]: '{"name":"@grpc/proto-loader","version":"0.7.15"}',
    [`${modules}@grpc/proto-loader/index.js`]:
      'exports.loadSync = () => { throw new Error("read from disk"); }; exports.fromJSON = (json) => json;\n',
    [`${modules}protobufjs/package.json`]: '{"name":"protobufjs","version":"7.5.0"}',
    [`${modules}protobufjs/index.js`]:
      'exports.loadSync = () => { throw new Error("read from disk"); }; exports.parse = (text) => ({ root: { text, toJSON: () => ({ parsed: text }) } });\n',
  });
  return folder;
}

it('embeds the service descriptions that dockerode reads beside itself', async () => {
  await using workplace = await openWorkplace();
  await using backend = await withDockerode();
  const output = workplace.project.join('runner.mjs');
  const { code, stderr } = await workplace.build(
    ...withFixtureRunner,
    '--with',
    backend.path,
    '--output',
    output,
    '--strict',
  );
  expect(stderr).not.toContain('FRB');
  expect(code).toBe(0);
  const { stdout } = await runBuilt(output, 'create', 'good');
  expect(JSON.parse(stdout.replace('Error: ', ''))).toEqual([
    { parsed: 'service Auth { "quoted" $& }\n' },
    'message Status {}\n',
  ]);
});

it('warns of the same package when it changed its shape, rather than guess', async () => {
  await using workplace = await openWorkplace();
  await using backend = await withDockerode();
  await backend.write({
    'node_modules/dockerode/lib/session.js':
      'var load = require("@grpc/proto-loader").loadSync, path = require("path");\nexports.open = () => load(path.join(__dirname, "proto", "auth.proto"));\n',
  });
  const { code, stderr } = await workplace.build(...withFixtureRunner, '--with', backend.path);
  expect(stderr).toContain('FRB502 dockerode@5.0.1 lib/session.js:2 reads proto/auth.proto next to itself');
  expect(code).toBe(0);
});
