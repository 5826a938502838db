import semver from 'semver';
import type { AuthorPackage } from './author-package.ts';
import { readPackageField } from '../resolve/package-field.ts';
import { quoted, UserError } from '../user-error.ts';
import type { Remark } from './finding.ts';

const keyword = 'forgejo-runner-backend';

/** What package.json says of the package, without a look at its files. `nodeVersion` is what runners are built with. */
export function checkMetadata({ json }: AuthorPackage, nodeVersion: string): readonly Remark[] {
  return [
    ...checkField(json),
    ...checkScripts(json),
    ...checkSideEffects(json),
    ...checkWords(json),
    ...checkEngines(json, nodeVersion),
  ];
}

type Json = AuthorPackage['json'];

function checkField({ forgejoRunner, name }: Json): readonly Remark[] {
  try {
    readPackageField(forgejoRunner, name);
    return [];
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const next = 'write "forgejoRunner": { "api": 1, "backends": ["ID"] } into package.json';
    return [{ rule: 'field', severity: 'error', message: error.message, next, at: ['forgejoRunner'] }];
  }
}

function checkScripts({ scripts = {} }: Json): readonly Remark[] {
  const found = ['preinstall', 'install', 'postinstall'].filter((name) => Object.hasOwn(scripts, name));
  return found.map((name) => ({
    rule: 'install-scripts',
    severity: 'error',
    message: `expected nothing to run at installation, found the script ${quoted(name)}`,
    next: 'do at build time (prepack) or when the backend is created what it does',
    at: ['scripts', name],
  }));
}

function checkSideEffects({ sideEffects }: Json): readonly Remark[] {
  const isDropped = sideEffects === false || (Array.isArray(sideEffects) && sideEffects.length === 0);
  if (!isDropped) return [];
  return [
    {
      rule: 'side-effects',
      severity: 'warning',
      message: `expected sideEffects to be true, found ${JSON.stringify(sideEffects)}: a bundler may drop the registration`,
      next: 'set "sideEffects": true',
      at: ['sideEffects'],
      fix: (edited) => void (edited['sideEffects'] = true),
    },
  ];
}

function checkWords({ keywords = [], description, private: isPrivate }: Json): readonly Remark[] {
  const remarks: Remark[] = [];
  if (!keywords.includes(keyword)) {
    remarks.push({
      rule: 'keyword',
      severity: 'warning',
      message: `expected the keyword ${keyword}, found ${keywords.map(quoted).join(', ') || 'none'}`,
      next: `add "${keyword}" to keywords`,
      at: ['keywords'],
      fix: (edited) => void (edited['keywords'] = [...keywords, keyword]),
    });
  }
  if (typeof description !== 'string' || description.trim() === '') {
    remarks.push({
      rule: 'description',
      severity: 'warning',
      message: 'expected a description, found none',
      next: 'say in a line what the backend runs jobs in',
      at: ['description'],
    });
  }
  if (isPrivate === true) {
    remarks.push({
      rule: 'private',
      severity: 'warning',
      message: 'expected a package that can be published, found "private": true',
      next: 'remove it before the first release',
      at: ['private'],
    });
  }
  return remarks;
}

function checkEngines({ engines = {} }: Json, nodeVersion: string): readonly Remark[] {
  const range = engines['node'];
  if (range !== undefined && semver.satisfies(nodeVersion, range)) return [];
  const found = range === undefined ? 'nothing' : quoted(range);
  const wanted = `>=${semver.major(nodeVersion)}`;
  return [
    {
      rule: 'engines',
      // npm only warns of what `engines` does not take, unless it is told to be strict.
      severity: 'warning',
      message: `expected engines.node to take Node ${nodeVersion}, which runners are built with, found ${found}`,
      next: `set "engines": { "node": "${wanted}" }`,
      at: ['engines', 'node'],
      fix: (edited) => void (edited['engines'] = { ...engines, node: wanted }),
    },
  ];
}
