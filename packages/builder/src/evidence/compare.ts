import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import type { Evidence } from './evidence.ts';

const provenanceSchema = z.object({
  subject: z.array(z.object({ digest: z.record(z.string(), z.string()) })).min(1),
  predicate: z.object({
    buildDefinition: z.object({
      externalParameters: z.looseObject({ format: z.enum(['script', 'executable']), manifest: z.unknown() }),
      internalParameters: z.record(z.string(), z.unknown()),
    }),
  }),
});
const sbomSchema = z.object({
  components: z.array(
    z.object({
      'bom-ref': z.string(),
      hashes: z.array(z.object({ content: z.string() })).optional(),
      properties: z.array(z.object({ name: z.string(), value: z.string() })).optional(),
    }),
  ),
});

/** What was asked for, as evidence tells it. */
export function requestOf(evidence: Evidence): {
  readonly format: 'script' | 'executable';
  readonly manifest: unknown;
} {
  return provenanceSchema.parse(evidence.provenance).predicate.buildDefinition.externalParameters;
}

/**
 * How what went into two builds differs, in the order in which it goes in: tools, request, packages. Empty when the inputs are
 * the same.
 */
export function compareInputs(before: Evidence, now: Evidence): readonly string[] {
  const [one, other] = [provenanceSchema.parse(before.provenance), provenanceSchema.parse(now.provenance)];
  const [old, fresh] = [one.predicate.buildDefinition, other.predicate.buildDefinition];
  const names = [...new Set([...Object.keys(old.internalParameters), ...Object.keys(fresh.internalParameters)])];
  const tools = names
    .filter((name) => old.internalParameters[name] !== fresh.internalParameters[name])
    .map(
      (name) =>
        `${name}: it was made with ${shown(old.internalParameters[name])}, here is ${shown(fresh.internalParameters[name])}`,
    );
  const isSameRequest = isDeepStrictEqual(old.externalParameters, fresh.externalParameters);
  return [
    ...tools,
    ...(isSameRequest
      ? []
      : [
          `request: it was ${JSON.stringify(old.externalParameters)}, here is ${JSON.stringify(fresh.externalParameters)}`,
        ]),
    ...comparePackages(before, now),
    ...(before.licenses === now.licenses ? [] : ['licences: a text in a package is another']),
  ];
}

function comparePackages(before: Evidence, now: Evidence): readonly string[] {
  const [old, fresh] = [componentsOf(before), componentsOf(now)];
  return [
    ...[...old.keys()]
      .filter((ref) => !fresh.has(ref))
      .map((ref) => `${nameOf(ref)} is in it, and not in what is built here`),
    ...[...fresh.keys()]
      .filter((ref) => !old.has(ref))
      .map((ref) => `${nameOf(ref)} is not in it, and in what is built here`),
    ...[...old]
      .filter(([ref, content]) => fresh.has(ref) && fresh.get(ref) !== content)
      .map(([ref]) => `${nameOf(ref)} has other content here`),
  ];
}

function componentsOf({ sbom }: Evidence): ReadonlyMap<string, string> {
  return new Map(
    sbomSchema.parse(sbom).components.map((one) => {
      const inputs = one.properties?.find((property) => property.name === 'forgejo-runner:inputs-sha256')?.value ?? '';
      return [one['bom-ref'], `${inputs} ${one.hashes?.map((hash) => hash.content).join(' ') ?? ''}`];
    }),
  );
}

/** From `pkg:npm/%40acme/backend@1.0.0` to what people write. */
function nameOf(ref: string): string {
  return decodeURIComponent(ref.replace(/^pkg:\w+\//, ''));
}

/** Checksum of the program, before evidence was put into it. */
export function programHash(evidence: Evidence): string | undefined {
  return provenanceSchema.parse(evidence.provenance).subject[0]?.digest['sha256'];
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : 'none';
}
