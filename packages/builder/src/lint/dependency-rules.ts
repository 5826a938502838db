import semver from 'semver';
import { coreName } from '../resolve/installation.ts';
import { quoted } from '../user-error.ts';
import type { AuthorPackage } from './author-package.ts';
import type { EditedPackage, Remark } from './finding.ts';

type Json = AuthorPackage['json'];

/** The keys under which a package names others. */
const groups = ['dependencies', 'optionalDependencies', 'peerDependencies', 'devDependencies'] as const;

/** How the package names the API and the other packages of this project. `coreVersion` is the builder's. */
export function checkDependencies({ json }: AuthorPackage, coreVersion: string): readonly Remark[] {
  return [...checkPeer(json, coreVersion), ...checkPeerRange(json, coreVersion), ...checkOwn(json, coreVersion)];
}

function checkPeer(json: Json, coreVersion: string): readonly Remark[] {
  const place = (['dependencies', 'optionalDependencies'] as const).find((group) => json[group]?.[coreName]);
  if (place === undefined && json.peerDependencies?.[coreName] !== undefined) return [];
  const range = (place === undefined ? undefined : json[place]?.[coreName]) ?? `^${coreVersion}`;
  return [
    {
      rule: 'peer',
      severity: 'error',
      message: `expected ${coreName} in peerDependencies, found ${place === undefined ? 'it nowhere' : `it in ${place}`}`,
      next: `name it in peerDependencies, and in devDependencies for your own tests`,
      at: place === undefined ? ['peerDependencies'] : [place, coreName],
      fix: (edited) => {
        if (place !== undefined) removeFrom(edited, place, coreName);
        addTo(edited, 'peerDependencies', coreName, json.peerDependencies?.[coreName] ?? openRange(range, coreVersion));
        addTo(edited, 'devDependencies', coreName, json.devDependencies?.[coreName] ?? openRange(range, coreVersion));
      },
    },
  ];
}

function checkPeerRange(json: Json, coreVersion: string): readonly Remark[] {
  const range = json.peerDependencies?.[coreName];
  if (range === undefined) return [];
  const oldest = semver.validRange(range) === null ? null : semver.minVersion(range);
  const wanted = openRange(range, coreVersion);
  const isWide = oldest !== null && semver.satisfies(`${oldest.major + 1}.0.0`, range);
  const isNarrow = oldest !== null && !semver.subset(`^${oldest.version}`, range);
  if (oldest !== null && !isWide && !isNarrow) return [];
  const why = isWide
    ? 'which takes API majors that do not exist yet'
    : 'which does not take later versions of its API major';
  return [
    {
      rule: 'peer-range',
      severity: 'warning',
      message: `expected a range such as ${wanted}, found ${quoted(range)}${oldest === null ? ', which is none' : `, ${why}`}`,
      next: `set it to "${wanted}"`,
      at: ['peerDependencies', coreName],
      fix: (edited) => addTo(edited, 'peerDependencies', coreName, wanted),
    },
  ];
}

/** From the oldest version that a range takes to the end of its major. */
function openRange(range: string, coreVersion: string): string {
  const oldest = semver.validRange(range) === null ? null : semver.minVersion(range);
  return oldest === null || oldest.major === 0 ? `^${coreVersion}` : `^${oldest.version}`;
}

/** Packages of this project that are wanted in versions which this builder does not have. */
function checkOwn(json: Json, coreVersion: string): readonly Remark[] {
  return groups.flatMap((group) =>
    Object.entries(json[group] ?? {}).flatMap(([name, range]): Remark[] => {
      // Where the API may be named is the business of another rule.
      const isOwn = name.startsWith('@forgejo-runner/') && (name !== coreName || group === 'devDependencies');
      // A folder or a git address says nothing of its version.
      if (!isOwn || semver.validRange(range) === null) return [];
      if (semver.satisfies(coreVersion, range, { includePrerelease: true })) return [];
      return [
        {
          rule: 'own-versions',
          severity: 'error',
          message: `expected ${name} in a range that takes ${coreVersion}, the version of this builder, found ${quoted(range)}`,
          next: `set it to "^${coreVersion}", or use the builder that goes with it`,
          at: [group, name],
          fix: (edited) => addTo(edited, group, name, `^${coreVersion}`),
        },
      ];
    }),
  );
}

/** Names a package in a group, in the order of names as npm keeps them. */
export function addTo(edited: EditedPackage, group: string, name: string, range: string): void {
  const entries = { ...(edited[group] as Record<string, string> | undefined), [name]: range };
  edited[group] = Object.fromEntries(Object.entries(entries).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function removeFrom(edited: EditedPackage, group: string, name: string): void {
  const { [name]: _gone, ...others } = edited[group] as Record<string, string>;
  if (Object.keys(others).length === 0) delete edited[group];
  else edited[group] = others;
}
