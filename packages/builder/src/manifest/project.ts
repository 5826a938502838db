import path from 'node:path';
import { layerFromFlags, type ManifestFlags } from './layer.ts';
import type { Distribution } from './distribution.ts';
import { findManifest, type LoadedManifest, loadManifest, type OutputSettings } from './load-manifest.ts';
import { type Manifest, manifestFromLayers } from './manifest.ts';

/** What somebody works on: a manifest file with flags on top, or flags alone. */
export interface Project {
  /** The manifest file, unless there is none. */
  readonly file: string | undefined;
  readonly manifest: Manifest;
  /** What the manifest says about the output. */
  readonly output: OutputSettings;
  /** Whose runner it is, if the manifest says so. */
  readonly distribution?: Distribution;
}

/** Where to look. */
export interface ProjectOptions {
  /** Folder that paths in flags are relative to, and whose manifest is taken. */
  readonly cwd: string;
  /** Another manifest, or none at all. */
  readonly file?: string | false | undefined;
  readonly flags?: ManifestFlags;
  /** Version of the builder, at which default backends come. */
  readonly version: string;
}

/**
 * Opens the project of a folder: its `forgejo-runner.build.yaml` if it has one, with flags on top.
 *
 * @throws UserError `FRB201`, `FRB204` to `FRB206`
 */
export async function openProject({ cwd, file, flags = {}, version }: ProjectOptions): Promise<Project> {
  const found = file === false ? undefined : file === undefined ? findManifest(cwd) : path.resolve(cwd, file);
  const loaded: LoadedManifest = found === undefined ? { layers: [], output: {} } : await loadManifest(found);
  const manifest = manifestFromLayers([...loaded.layers, layerFromFlags(flags, cwd)], version);
  const { output, distribution } = loaded;
  return { file: found, manifest, output, ...(distribution === undefined ? {} : { distribution }) };
}
