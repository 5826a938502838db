import type { SmokeReport } from '../gate/smoke-run.ts';
import { sizeText } from '../manifest/units.ts';
import { UserError } from '../user-error.ts';
import type { BundledPackage } from './packages-in.ts';

/** Packages that weigh more than they may, and budgets for packages that are not there. */
export function findTooHeavy(
  packages: readonly BundledPackage[],
  budgets: ReadonlyMap<string, number>,
): readonly UserError[] {
  return [...budgets].flatMap(([name, limit]) => {
    if (name === 'size' || name === 'start' || name === 'import') return [];
    const found = packages.filter((one) => one.name === name);
    const bytes = found.reduce((sum, one) => sum + one.bytes, 0);
    if (found.length > 0 && bytes <= limit) return [];
    const weighs = found.length === 0 ? 'is not in the result' : `weighs ${sizeText(bytes)}`;
    return [new UserError('FRB509', `${name} ${weighs}; its budget is ${sizeText(limit)}`)];
  });
}

/** Does the whole weigh more than it may? */
export function findTooLarge(
  sizeBytes: number,
  packages: readonly BundledPackage[],
  limit: number | undefined,
): readonly UserError[] {
  if (limit === undefined || sizeBytes <= limit) return [];
  const heaviest = packages.slice(0, 3).map(({ name, bytes }) => `${name} ${sizeText(bytes)}`);
  const most = heaviest.length === 0 ? '' : `; most of it: ${heaviest.join(', ')}`;
  return [new UserError('FRB509', `the result has ${sizeText(sizeBytes)}, its budget is ${sizeText(limit)}${most}`)];
}

/** Did it take longer to start, or to import a backend, than it may? */
export function findTooSlow(smoke: SmokeReport, budgets: ReadonlyMap<string, number>): readonly UserError[] {
  const [start, perImport] = [budgets.get('start'), budgets.get('import')];
  const slow = new Map(
    smoke.backends
      .filter((one) => perImport !== undefined && (one.importMs ?? 0) > perImport)
      .map((one) => [one.package ?? one.id, one.importMs ?? 0]),
  );
  return [
    ...(start !== undefined && smoke.startMs > start
      ? [
          new UserError(
            'FRB510',
            `the result needs ${smoke.startMs} ms to list its backends, its budget is ${start} ms`,
          ),
        ]
      : []),
    ...[...slow].map(
      ([name, ms]) =>
        new UserError('FRB510', `importing ${name} takes ${Math.round(ms)} ms, its budget is ${perImport} ms`),
    ),
  ];
}
