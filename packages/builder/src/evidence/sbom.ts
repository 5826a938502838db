import { createHash } from 'node:crypto';
import path from 'node:path';
import validateLicense from 'validate-npm-package-license';
import type { BuildInfo } from './build-info.ts';
import { type PackageOrigin, purlOf } from './package-origins.ts';
import { baseVersion } from '../package/node-bases.ts';

/**
 * What is really in a runner, as CycloneDX 1.6 has it: https://cyclonedx.org/docs/1.6/json/. The same for the same inputs:
 * the serial number comes from the content, and there is no time in it.
 */
export function makeSbom(
  origins: readonly PackageOrigin[],
  buildInfo: BuildInfo,
  options: { readonly isExecutable: boolean },
): object {
  const root = { name: buildInfo.distribution?.name ?? 'forgejo-runner', version: buildInfo.distribution?.version };
  const runner = {
    type: 'application',
    'bom-ref': 'runner',
    name: root.name,
    version: root.version ?? buildInfo.runner,
    properties: [
      { name: 'forgejo-runner:api', value: buildInfo.api },
      { name: 'forgejo-runner:official', value: String(buildInfo.official) },
    ],
  };
  const refs = refsOf(origins);
  const node = {
    type: 'platform',
    'bom-ref': 'node',
    name: 'node',
    version: baseVersion,
    purl: `pkg:generic/node@${baseVersion}`,
    licenses: [{ license: { name: 'Node.js and its parts, see the licences of this runner' } }],
  };
  const components = [...origins.map((one) => componentOf(one, refs)), ...(options.isExecutable ? [node] : [])];
  const chosen = new Set(buildInfo.packages.map((one) => purlOf(one.name, one.version)));
  const direct = origins.filter((one) => chosen.has(one.purl)).map((one) => refs.get(one) ?? '');
  const content = {
    metadata: { tools: { components: toolsOf(buildInfo) }, component: runner },
    components,
    dependencies: [
      { ref: 'runner', dependsOn: [...direct, ...(options.isExecutable ? ['node'] : [])] },
      ...origins.map((one) => ({ ref: refs.get(one) ?? '', dependsOn: needsOf(one, origins, refs) })),
    ],
  };
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${uuidOf(JSON.stringify(content))}`,
    version: 1,
    ...content,
  };
}

function toolsOf(buildInfo: BuildInfo): readonly object[] {
  return [
    { type: 'application', name: 'forgejo-runner-build', version: buildInfo.builder },
    { type: 'application', name: 'esbuild', version: buildInfo.esbuild, purl: purlOf('esbuild', buildInfo.esbuild) },
    { type: 'application', name: 'node', version: buildInfo.node },
  ];
}

type Refs = ReadonlyMap<PackageOrigin, string>;

/** The purl, unless two of one version are in it. */
function refsOf(origins: readonly PackageOrigin[]): Refs {
  return new Map(
    origins.map((one, index) => {
      const twin = origins.slice(0, index).filter((other) => other.purl === one.purl).length;
      return [one, twin === 0 ? one.purl : `${one.purl}#${twin + 1}`];
    }),
  );
}

function componentOf(origin: PackageOrigin, refs: Refs): object {
  const { bundled, purl, integrity, resolved, isFolder, inputsHash } = origin;
  const [, group, name = bundled.name] = /^(@[^/]+)\/(.*)$/.exec(bundled.name) ?? [];
  const hashes = hashesOf(integrity);
  return {
    type: 'library',
    'bom-ref': refs.get(origin),
    ...(group === undefined ? {} : { group }),
    name,
    version: bundled.version,
    ...(hashes.length === 0 ? {} : { hashes }),
    ...(bundled.license === undefined ? {} : { licenses: [licenseOf(bundled.license)] }),
    purl,
    ...(resolved === undefined ? {} : { externalReferences: [{ type: 'distribution', url: resolved }] }),
    // Not its weight: before names are made stable that depends on where the cache lies.
    properties: [
      { name: 'forgejo-runner:inputs-sha256', value: inputsHash },
      { name: 'forgejo-runner:source', value: isFolder ? 'folder' : 'lock' },
    ],
  };
}

const algorithms: Readonly<Record<string, string>> = {
  sha512: 'SHA-512',
  sha384: 'SHA-384',
  sha256: 'SHA-256',
  sha1: 'SHA-1',
};

/** From npm's form to that of CycloneDX. */
function hashesOf(integrity: string | undefined): readonly object[] {
  return (integrity ?? '').split(/\s+/).flatMap((one) => {
    const [, name = '', digest = ''] = /^(\w+)-([A-Za-z0-9+/=]+)/.exec(one) ?? [];
    const alg = algorithms[name];
    return alg === undefined ? [] : [{ alg, content: Buffer.from(digest, 'base64').toString('hex') }];
  });
}

function licenseOf(license: string): object {
  const { validForNewPackages, spdx } = validateLicense(license);
  return validForNewPackages && spdx === true ? { expression: license } : { license: { name: license } };
}

/** The copy that a package finds: one below it, else the one that is found from everywhere. */
function needsOf(one: PackageOrigin, origins: readonly PackageOrigin[], refs: Refs): readonly string[] {
  return one.bundled.needs.flatMap((name) => {
    const copies = origins.filter((other) => other.bundled.name === name);
    const below = copies.find((other) => other.bundled.dir.startsWith(one.bundled.dir + path.sep));
    const found = below ?? copies.toSorted((a, b) => a.bundled.dir.length - b.bundled.dir.length)[0];
    const ref = found === undefined ? undefined : refs.get(found);
    return ref === undefined ? [] : [ref];
  });
}

/** Version 8: made of what the maker chose, here a hash. */
function uuidOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  const variant = ((Number.parseInt(hex[16] ?? '0', 16) % 4) + 8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
