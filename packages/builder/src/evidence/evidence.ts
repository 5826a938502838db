import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { Bundle } from '../bundle/bundle.ts';
import type { Manifest } from '../manifest/manifest.ts';
import { defaultBackends } from '../manifest/layer.ts';
import type { WrittenManifest } from '../manifest/manifest-schema.ts';
import { baseVersion } from '../package/node-bases.ts';
import type { Installation } from '../resolve/installation.ts';
import { coreName, runnerName } from '../resolve/installation.ts';
import type { Resolution } from '../resolve/resolved-package.ts';
import type { BuildInfo } from './build-info.ts';
import { evidencePlaceholder } from './evidence-placeholder.ts';
import { embedText, findText } from './embedded-text.ts';
import { makeLicenseFile } from './license-file.ts';
import { findOrigins, type PackageOrigin } from './package-origins.ts';
import { makeProvenance, type PublicRequest, type Subject } from './provenance.ts';
import { makeSbom } from './sbom.ts';

/** What a runner carries with it about itself, beside its lock. */
export interface Evidence {
  /** CycloneDX. */
  readonly sbom: object;
  /** An in-toto statement on the program in it, before the evidence was put in. */
  readonly provenance: object;
  readonly licenses: string;
}

/** What evidence is made of. */
export interface EvidenceInput {
  readonly bundle: Bundle;
  readonly resolution: Resolution;
  readonly manifest: Manifest;
  readonly installation: Installation;
  readonly buildInfo: BuildInfo;
  readonly isExecutable: boolean;
}

/** Evidence, and how to make the statement on other files from it. */
export interface MadeEvidence extends Evidence {
  /** The statement on files that were made of the bundle. */
  readonly provenanceOf: (subjects: readonly Subject[]) => object;
}

/** Makes the evidence of a bundle. */
export async function makeEvidence(input: EvidenceInput): Promise<MadeEvidence> {
  const { bundle, resolution, installation, buildInfo, isExecutable } = input;
  const origins = await findOrigins(bundle.packages, resolution);
  const request = publicRequest(input);
  const license = path.join(installation.dir, 'templates', 'licenses', 'node.txt');
  const node = isExecutable ? { version: baseVersion, text: await readFile(license, 'utf8') } : undefined;
  const provenanceOf = (subjects: readonly Subject[]): object => makeProvenance(subjects, request, origins, buildInfo);
  return {
    sbom: makeSbom(origins, buildInfo, { isExecutable }),
    provenance: provenanceOf([{ name: 'program', sha256: sha256(bundle.code) }]),
    licenses: await makeLicenseFile(bySize(origins), node),
    provenanceOf,
  };
}

/** Puts the evidence where the placeholder stands. */
export function embedEvidence(code: string, { sbom, provenance, licenses }: Evidence): string {
  const [before = '', after, ...more] = code.split(evidencePlaceholder);
  if (after === undefined || more.length > 0) throw new Error('expected one place for the evidence in the bundle');
  return `${before}${embedText('evidence', JSON.stringify({ sbom, provenance, licenses }))}${after}`;
}

const record = z.record(z.string(), z.unknown());
const schema = z.object({ sbom: record, provenance: record, licenses: z.string() });

/** Finds the evidence in a built runner. Nothing of it is run. @throws UserError `FRB317` */
export async function readEvidence(file: string): Promise<Evidence> {
  return schema.parse(JSON.parse(await findText('evidence', file)));
}

/** What decides over the bytes, without paths: a folder is named by the package in it. */
function publicRequest({ resolution, manifest, isExecutable, buildInfo }: EvidenceInput): PublicRequest {
  const { lock } = resolution;
  const asked = new Map(lock.requests.map((one) => [one.name, one.request]));
  const chosen = lock.backends.filter((name) => !Object.values(defaultBackends).includes(name));
  const without = Object.entries(defaultBackends).filter(([, name]) => !lock.backends.includes(name));
  const replaced = resolution.replaced.map((one) => one.name).filter((name) => ![coreName, runnerName].includes(name));
  const { distribution } = buildInfo;
  const written: WrittenManifest = {
    ...notEmpty(
      'with',
      chosen.map((name) => asked.get(name) ?? name),
    ),
    ...notEmpty(
      'without',
      without.map(([id]) => id),
    ),
    ...notEmpty('allow-scripts', [...manifest.allowScripts].toSorted()),
    ...(manifest.overrides.size === 0 ? {} : { override: sorted(manifest.overrides) }),
    ...(manifest.native.size === 0 ? {} : { native: sorted(manifest.native) }),
    ...(distribution === undefined ? {} : { distribution }),
  };
  return {
    format: isExecutable ? 'executable' : 'script',
    manifest: written,
    ...(replaced.length === 0 ? {} : { replaced: replaced.toSorted() }),
  };
}

function notEmpty<K extends string>(key: K, values: readonly string[]): { readonly [key in K]?: readonly string[] } {
  // The one key of the type, or none.
  return (values.length === 0 ? {} : { [key]: values }) as { readonly [key in K]?: readonly string[] };
}

function sorted<V>(map: ReadonlyMap<string, V>): Readonly<Record<string, V>> {
  return Object.fromEntries([...map].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function bySize(origins: readonly PackageOrigin[]): readonly PackageOrigin[] {
  return origins.toSorted((a, b) => (a.bundled.name === b.bundled.name ? 0 : a.bundled.name < b.bundled.name ? -1 : 1));
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
