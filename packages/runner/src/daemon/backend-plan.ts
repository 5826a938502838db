import { type FactoryRegistry, isBackendError, type LabelConfiguration, type Registration } from '@forgejo-runner/core';
import { didYouMean, foreignProblems, type Validated } from '../config/config-problems.ts';
import { type ConfigPath, nodeAt, placeOfKey } from '../config/config-place.ts';
import type { RunnerConfig } from '../config/runner-config.ts';
import { type Problem, quoted } from '../user-error.ts';
import type { Place, YamlNode } from '../workflow/yaml-node.ts';
import { unbrandedFailure } from './label-failure.ts';
import { legacyKeys, withLegacyKeys } from './legacy-keys.ts';
import { optionsOf, schemaKeys } from './schema-keys.ts';

/** A backend that labels use: who makes it, from what. */
export interface BackendPlan {
  readonly id: string;
  readonly registration: Registration;
  readonly section: unknown;
  /** Where the section stands in the file. */
  readonly base: ConfigPath;
  readonly root: YamlNode | undefined;
  /** The section, or the first label that uses it. */
  readonly at?: Place;
}

/** What decides which backends there will be. */
export interface BackendPlanInput {
  readonly labels: readonly LabelConfiguration[];
  readonly config: RunnerConfig;
  readonly factories: FactoryRegistry;
}

const pluginFactory = 'grpc';

/** Collects the backends that labels use, and what is wrong before any of them is made. */
export function planBackends(input: BackendPlanInput): {
  readonly plans: readonly BackendPlan[];
  readonly problems: readonly Problem[];
} {
  const plans: BackendPlan[] = [];
  const problems: Problem[] = [...unknownSections(input)];
  for (const [id, labels] of Map.groupBy(input.labels, (label) => label.backend)) {
    const plan = planBackend(id, labels[0]?.where, input);
    if (plan === undefined) problems.push(...labels.map((label) => unknownBackend(label, input)));
    else plans.push(plan);
  }
  return { plans, problems };
}

function planBackend(id: string, label: Place | undefined, input: BackendPlanInput): BackendPlan | undefined {
  const { config, factories } = input;
  const plugin = config.plugins.get(id);
  const { factory, section: own } = splitSection(id, config);
  const registration = factories.get(plugin === undefined ? factory : pluginFactory);
  if (registration === undefined) return undefined;
  const base = plugin === undefined ? ['backend', id] : ['plugins', id];
  const section = plugin ?? withLegacyKeys(factory, own, config);
  const hasSection = nodeAt(config.source, base) !== undefined;
  const at = hasSection ? placeOfKey(config.source, base) : label;
  return { id, registration, section, base, root: config.source, ...(at === undefined ? {} : { at }) };
}

/** Which factory makes a backend, and what is left for that to read: `factory` is ours. */
function splitSection(id: string, { backends }: RunnerConfig): { readonly factory: string; readonly section: unknown } {
  const section = backends.get(id) ?? {};
  if (typeof section !== 'object' || Array.isArray(section) || !Object.hasOwn(section, 'factory')) {
    return { factory: id, section };
  }
  const { factory, ...rest } = section as Readonly<Record<string, unknown>>;
  // What is no text is no name of a factory, and said to be unknown.
  return { factory: String(factory), section: rest };
}

function unknownBackend(label: LabelConfiguration, { config, factories }: BackendPlanInput): Problem {
  const { name, backend, where } = label;
  const isPlugin = config.plugins.has(backend);
  const wanted = isPlugin ? pluginFactory : splitSection(backend, config).factory;
  const why = isPlugin ? `, which runs the plugin ${quoted(backend)}` : '';
  const known = [
    ...factories.list().map(({ factory }) => factory.id),
    ...config.plugins.keys(),
    ...[...config.backends.keys()].filter((id) => factories.get(splitSection(id, config).factory) !== undefined),
  ];
  const hint = didYouMean(wanted, known) || `; build the runner with --with and the package that has it`;
  const message = `label ${quoted(name)}: this runner has no backend ${quoted(wanted)}${why}${hint}`;
  return where === undefined ? { message } : { message, at: where };
}

/** A section that nobody will ever read is a misspelt one, or meant for another runner. */
function unknownSections({ config, factories }: BackendPlanInput): readonly Problem[] {
  const known = factories.list().map(({ factory }) => factory.id);
  return [...config.backends.keys()].flatMap((id) => {
    const { factory } = splitSection(id, config);
    if (known.includes(factory)) return [];
    const hasOwn = nodeAt(config.source, ['backend', id, 'factory']) !== undefined;
    const path = hasOwn ? ['backend', id, 'factory'] : ['backend', id];
    const at = placeOfKey(config.source, path);
    const hint =
      didYouMean(factory, known) || '; remove the section, or build the runner with --with and the package that has it';
    const message = `${path.join('.')}: this runner has no backend ${quoted(factory)}${hint}`;
    return [at === undefined ? { message } : { message, at }];
  });
}

/** The section as the factory's schema leaves it, or what is wrong with it. */
export async function validateSection(
  plan: BackendPlan,
): Promise<{ readonly value: unknown; readonly problems: readonly Problem[] }> {
  const { factory } = plan.registration;
  const read = await factory.configSchema['~standard'].validate(plan.section);
  if (read.issues === undefined) return { value: read.value, problems: [] };
  const options = optionsOf(factory, 'config') ?? schemaKeys(factory.configSchema);
  const problems = read.issues.flatMap((issue) => {
    const found = foreignProblems([issue], { ...asValidated(plan), options });
    return legacyPlace(plan, issue.path?.[0], found);
  });
  return { value: undefined, problems };
}

/** A value that came from an older key is wrong there and not in the section. */
function legacyPlace(plan: BackendPlan, part: unknown, problems: readonly Problem[]): readonly Problem[] {
  const key = typeof part === 'object' && part !== null && 'key' in part ? part.key : part;
  const factory = plan.registration.factory.id;
  const legacy = legacyKeys.find((one) => one.factory === factory && one.key === key);
  if (legacy === undefined || nodeAt(plan.root, [...plan.base, legacy.key]) !== undefined) return problems;
  const at = nodeAt(plan.root, legacy.path)?.at;
  return at === undefined ? problems : problems.map(({ message }) => ({ message, at }));
}

/** Why a backend could not be made, where its section or its first label stands. */
export function backendFailure(plan: BackendPlan, error: unknown): readonly Problem[] {
  const say = (message: string): Problem => (plan.at === undefined ? { message } : { message, at: plan.at });
  if (!isBackendError(error)) return [say(`backend ${quoted(plan.id)}: ${unbrandedFailure(error)}`)];
  const { issues = [], hint } = error.details;
  if (issues.length > 0) return foreignProblems(issues, { ...asValidated(plan), options: undefined });
  const next = hint === undefined ? '' : `; ${hint}`;
  return [say(`backend ${quoted(plan.id)}: ${error.message}${next}`)];
}

function asValidated({ base, root }: BackendPlan): Omit<Validated, 'options'> {
  return { subject: base.map(String).join('.'), root, base };
}
