import { cp, readFile } from 'node:fs/promises';
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

it('leaves out what our Docker backend does not use of dockerode, and says so when it is called', async () => {
  await using workplace = await openWorkplace();
  await using backend = await ofOurs(await withDockerode());
  const output = workplace.project.join('runner.mjs');
  const flags = [...withFixtureRunner, '--with', backend.path, '--output', output, '--strict'];
  const { code, stderr } = await workplace.build(...flags);
  expect(stderr).not.toContain('FRB');
  expect(code).toBe(0);
  expect(await readFile(output, 'utf8')).not.toContain('read from disk');
  const { stdout } = await runBuilt(output, 'create', 'good');
  expect(stdout).toContain('dockerode/lib/session.js: this runner was built without BuildKit sessions');
  expect(stdout).toContain('dockerode/lib/buildkit.js: this runner was built without progress of BuildKit');
  expect(stdout).toContain('docker-modem/lib/ssh.js: this runner was built without ssh endpoints');
});

it('leaves nothing of dockerode out when another backend uses it as well', async () => {
  await using workplace = await openWorkplace();
  await using ours = await ofOurs(await withDockerode());
  await using other = await withDockerode();
  await other.write({
    'index.js': (await readFile(other.join('index.js'), 'utf8')).replace("id: 'good'", "id: 'other'"),
    'package.json': (await readFile(other.join('package.json'), 'utf8'))
      .replace('@acme/backend-good', '@acme/backend-other')
      .replace('"good"', '"other"'),
  });
  const output = workplace.project.join('runner.mjs');
  const flags = [...withFixtureRunner, '--with', ours.path, '--with', other.path, '--output', output];
  expect((await workplace.build(...flags)).code).toBe(0);
  expect((await runBuilt(output, 'create', 'other')).stdout).toContain('service Auth { ');
});

/** The same backend by the name of ours, and as it uses dockerode: by its main module. */
async function ofOurs(folder: TempFolder): Promise<TempFolder> {
  const description = await readFile(folder.join('package.json'), 'utf8');
  const index = await readFile(folder.join('index.js'), 'utf8');
  await folder.write({
    'package.json': description.replace('@acme/backend-good', '@forgejo-runner/backend-docker'),
    'index.js': index
      .replace(/import \{ open \}.*\n.*\n/, "import { open, decode, ssh } from 'dockerode';\n")
      .replace(
        '[open(), decode()]',
        '[open, decode, ssh].map((part) => { try { return part(); } catch (error) { return error.message; } })',
      ),
    'node_modules/dockerode/package.json': '{"name":"dockerode","version":"5.0.1","main":"lib/docker.js"}',
    'node_modules/dockerode/lib/docker.js': `exports.open = require('./session');
exports.decode = () => require('./buildkit').followProgress();
exports.ssh = require('docker-modem').ssh;\n`,
    'node_modules/docker-modem/package.json': '{"name":"docker-modem","version":"5.0.7","main":"lib/modem.js"}',
    'node_modules/docker-modem/lib/modem.js': `exports.ssh = require('./ssh');\n`,
    'node_modules/docker-modem/lib/ssh.js': `const Client = require('ssh2').Client; module.exports = () => new Client();\n`,
    'node_modules/ssh2/package.json': '{"name":"ssh2","version":"1.17.0"}',
    'node_modules/ssh2/index.js': 'exports.Client = class {};\n',
  });
  return folder;
}
