import { type Command, Option } from 'commander';
import { defaultBackends } from '../manifest/layer.ts';
import { targets } from '../package/target.ts';
import type { LogFormat } from './print-progress.ts';

/** Flags that every command takes. */
export interface OutputFlags {
  readonly logFormat: LogFormat;
  readonly verbose?: boolean;
}

/** Flags that choose the project: its manifest, and what comes on top. */
export interface ProjectFlags extends OutputFlags {
  readonly with?: readonly string[];
  readonly without?: readonly string[];
  readonly replace?: readonly string[];
  readonly allowUntyped?: readonly string[];
  readonly override?: readonly string[];
  readonly minReleaseAge?: string;
  readonly allowFresh?: readonly string[];
  readonly allowScripts?: readonly string[];
  readonly cacheDir?: string;
  /** `false` for `--no-manifest`. */
  readonly manifest?: string | boolean;
  /** `false` for `--no-frozen`. */
  readonly frozen?: boolean;
  readonly offline?: boolean;
}

/** Flags of `run`. */
export interface RunFlags extends ProjectFlags {
  readonly watch?: boolean;
  readonly bundle?: boolean;
}

/** Flags of `build`. */
export interface BuildFlags extends ProjectFlags {
  readonly output?: string;
  readonly sea?: boolean;
  readonly target?: readonly string[];
  readonly evidence?: string;
  readonly image?: string;
  readonly native?: readonly string[];
  readonly denyLicense?: readonly string[];
  readonly budget?: readonly string[];
  readonly strict?: boolean;
  readonly force?: boolean;
  readonly conformance?: 'quick' | 'full' | 'nightly' | true;
  readonly conformanceConfig?: readonly string[];
  /** `false` for `--no-smoke-run`. */
  readonly smokeRun?: boolean;
}

/** Gathers the values of a flag that may be given again. */
export const collect = (value: string, all: readonly string[] | undefined): string[] => [...(all ?? []), value];

/** Adds the flags of every command. */
export function outputFlags(command: Command): Command {
  return command
    .addOption(
      new Option('--log-format <format>', 'how progress is printed').choices(['auto', 'plain', 'json']).default('auto'),
    )
    .option('--verbose', 'print the words of npm, the compiler and the bundler as well');
}

/** Adds the flag of commands that work on a manifest. */
export function manifestFlag(command: Command): Command {
  return command.option('--manifest <file>', 'manifest to use (default ./forgejo-runner.build.yaml, if it is there)');
}

/** Adds the flag of commands that use the cache. */
export function cacheFlag(command: Command): Command {
  return command.option('--cache-dir <dir>', 'where packages and verdicts are kept (FORGEJO_RUNNER_BUILD_CACHE)');
}

/** Adds the flags that choose packages. */
export function packageFlags(command: Command): Command {
  const defaults = Object.keys(defaultBackends).join(', ');
  return command
    .option(
      '--with <package>',
      'add a backend: NAME[@VERSION|@RANGE], NAME=PATH, PATH, tarball or git URL (repeatable)',
      collect,
    )
    .option('--without <backend>', `leave a default backend out: ${defaults} (repeatable)`, collect)
    .option('--replace <name=path>', 'use a folder wherever a package is imported (repeatable)', collect)
    .option('--override <name=version>', 'use this version wherever a package is wanted (repeatable)', collect)
    .option('--allow-untyped <name>', 'accept a package whose types prove nothing (repeatable)', collect)
    .option(
      '--min-release-age <time>',
      'choose no version younger than this (default 3d, or what npm is configured for)',
    )
    .option('--allow-fresh <name>', 'accept a package that is younger (repeatable)', collect)
    .option('--allow-scripts <name>', 'run the install scripts of a package (repeatable)', collect);
}

/** Adds the flags that choose the project. */
export function projectFlags(command: Command): Command {
  const all = cacheFlag(manifestFlag(packageFlags(command)));
  return outputFlags(all.option('--no-manifest', 'use no manifest, only flags'));
}

/** Adds the flags that say how the lock is used. */
export function lockFlags(command: Command): Command {
  return command
    .option('--frozen', 'the lock has to fit, and nothing is looked up beyond it (default where CI is set)')
    .option('--no-frozen', 'look up what the lock does not have, and write it')
    .option('--offline', 'ask nobody: everything has to be in the cache or beside the manifest');
}

/** Adds the flags of `build`, which `init` writes into a manifest as well. */
export function buildFlags(command: Command): Command {
  return command
    .option('-o, --output <file>', 'file of the result (default ./forgejo-runner.mjs, with --sea ./forgejo-runner)')
    .option('--sea', 'make one executable that needs no Node')
    .option('--target <platform>', `make one executable for a platform: ${targets.join(', ')} (repeatable)`, collect)
    .option('--image <file>', 'make an image of the executables for Linux: FILE.tar, or a folder for an OCI layout')
    .option('--evidence <dir>', 'write SBOM, provenance, licences, a report of sizes and checksums into a folder')
    .option('--native <name=policy>', 'native addons of a package: stub, embed or fail (repeatable)', collect)
    .option(
      '--deny-license <licence>',
      'refuse packages under an SPDX licence such as AGPL-*, or none (repeatable)',
      collect,
    )
    .option(
      '--budget <name=limit>',
      'refuse more: size=5MB, start=200ms, import=20ms, PACKAGE=300kB (repeatable)',
      collect,
    )
    .option('--strict', 'warnings are errors')
    .addOption(
      new Option(
        '--conformance [lane]',
        'write the result only if its backends pass the conformance suite: quick, full or nightly',
      ).choices(['quick', 'full', 'nightly']),
    )
    .option(
      '--conformance-config <package=file>',
      'options of the suite for a package, as test --config takes them (repeatable)',
      collect,
    )
    .option('--force', 'build also when nothing changed since the last time')
    .option('--no-smoke-run', 'do not start the result before it is written');
}
