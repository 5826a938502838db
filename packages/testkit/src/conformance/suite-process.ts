// The suite in a process of its own: `suite-process REQUEST`, a JSON object. Prints a JSON object a line.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { BackendFactory } from '@forgejo-runner/core';
import { loadSubject } from './doomed-runner.ts';
import type { ConformanceOptions, Lane } from './options.ts';
import { runConformance } from './run-conformance.ts';

/** What is to be checked, as the builder asks for it. */
interface SuiteRequest {
  /** Folder, name and export of the package of the backend. */
  readonly dir: string;
  readonly name: string;
  readonly export: string;
  /** A module that exports `conformance`, or a JSON file with those options that are data. */
  readonly config?: string;
  readonly lane: Lane;
  /** File of a runner that has the backend built in; false for no workflows. Absent: what the options say. */
  readonly runner?: string | false;
}

// Whoever starts this module wrote the request.
const request = JSON.parse(process.argv[2] ?? '') as SuiteRequest;
const options = withRunner(await optionsOf(request), request.runner);
print({ event: 'verdict', verdict: await runConformance(options, { lane: request.lane, onResult }) });
// A backend that leaves a handle open has been told so by a check.
process.exit(0);

/** A JavaScript file is for Node, everything else starts itself. */
function withRunner(given: ConformanceOptions, file: string | false | undefined): ConformanceOptions {
  if (file === undefined) return given;
  if (file === false) {
    const { runner: _, ...rest } = given;
    return rest;
  }
  const isScript = /\.[cm]?js$/.test(file);
  return { ...given, runner: { ...given.runner, command: isScript ? [process.execPath, file] : [file] } };
}

function onResult(result: object): void {
  print({ event: 'check', result });
}

function print(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function optionsOf(asked: SuiteRequest): Promise<ConformanceOptions> {
  const { config } = asked;
  if (config !== undefined && !config.endsWith('.json')) return loadSubject(config);
  const require = createRequire(join(asked.dir, 'package.json'));
  const specifier = asked.export === '.' ? asked.name : `${asked.name}${asked.export.slice(1)}`;
  // The builder has checked that the package exports one.
  const { factory } = (await import(pathToFileURL(require.resolve(specifier)).href)) as { factory: BackendFactory };
  const written: unknown = config === undefined ? {} : JSON.parse(await readFile(config, 'utf8'));
  // What a person wrote; a wrong label or configuration fails the first check, which says so.
  return { label: `test:${factory.id}`, ...(written as object), factory };
}
