import type { Backend, BackendId } from './backend.ts';
import type { CallContext } from './call-context.ts';
import type { Capabilities } from './capabilities.ts';
import type { EnvironmentRequest, ExecutionEnvironment } from './environment.ts';
import { BackendError } from './errors.ts';
import type { BackendFactory, FactoryInput } from './factory.ts';
import { formatLabel, type LabelConfiguration, type ResolvedLabel } from './label.ts';
import { factories } from './registry.ts';
import { type SchemaIssue, type StandardSchemaV1, writeJsonSchema } from './standard-schema.ts';

/** A {@link Backend} whose label options `L` have the type that its label schema gives them. */
export interface TypedBackend<L> extends AsyncDisposable {
  /** What a label with these options can do. The options are valid already. */
  readonly describeLabel: (options: L, label: LabelConfiguration, ctx: CallContext) => Promise<Capabilities>;
  readonly createEnvironment: (
    request: EnvironmentRequest & { readonly options: L },
    ctx: CallContext,
  ) => Promise<ExecutionEnvironment>;
  readonly sweep: Backend['sweep'];
  readonly prune?: Backend['prune'];
  readonly health: Backend['health'];
  readonly dockerEndpoints?: Backend['dockerEndpoints'];
  readonly recover?: Backend['recover'];
}

/** What {@link defineBackend} makes a factory from. `C` is its configuration, `L` the options of one label. */
export interface BackendDefinition<C, L> {
  readonly id: BackendId;
  /** One sentence for `list-backends`. */
  readonly description: string;
  /** Schema of `backend.<id>`. Make it strict, so that a misspelt key is found. */
  readonly config: StandardSchemaV1<unknown, C>;
  /** Schema of a label's options. In the string form all values are strings: let it coerce. */
  readonly label: StandardSchemaV1<unknown, L>;
  /** By default what the two schemas say of themselves, which those of zod and most others do. */
  readonly jsonSchema?: BackendFactory['jsonSchema'];
  readonly create: (config: C, input: FactoryInput, ctx: CallContext) => Promise<TypedBackend<L>>;
}

/**
 * Makes a factory and registers it for this process: the short way to a backend.
 *
 * ```ts
 * export const factory = defineBackend({
 *   id: 'tart',
 *   description: 'Runs jobs in macOS virtual machines',
 *   config: z.strictObject({ program: z.string().default('tart') }),
 *   label: z.strictObject({ image: z.string(), cpu: z.coerce.number().optional() }),
 *   create: async (config, input) => openTart(config, input),
 * });
 * ```
 *
 * @throws BackendError `config` when another package registered this id already.
 */
export function defineBackend<C, L>(definition: BackendDefinition<C, L>): BackendFactory {
  const factory: BackendFactory = {
    api: 1,
    id: definition.id,
    description: definition.description,
    configSchema: definition.config,
    jsonSchema: definition.jsonSchema ?? (() => writtenSchemas(definition)),
    create: async (input, ctx) => {
      // The runner validated `config` with `configSchema`, which is this definition's schema, so its output is a C.
      const typed = await definition.create(input.config as C, input, ctx);
      return untyped(definition, typed);
    },
  };
  factories.register(factory);
  return factory;
}

function writtenSchemas<C, L>({ config, label }: BackendDefinition<C, L>): { config?: object; label?: object } {
  const [ofConfig, ofLabel] = [writeJsonSchema(config), writeJsonSchema(label)];
  return {
    ...(ofConfig === undefined ? {} : { config: ofConfig }),
    ...(ofLabel === undefined ? {} : { label: ofLabel }),
  };
}

function untyped<C, L>(definition: BackendDefinition<C, L>, typed: TypedBackend<L>): Backend {
  return {
    id: definition.id,
    resolveLabel: (label, ctx) => resolveLabel(definition, typed, label, ctx),
    // `label.data` is what `resolveLabel` below put there.
    createEnvironment: (request, ctx) => typed.createEnvironment({ ...request, options: request.label.data as L }, ctx),
    sweep: (request, ctx) => typed.sweep(request, ctx),
    health: (ctx) => typed.health(ctx),
    ...(typed.prune === undefined ? {} : { prune: typed.prune }),
    ...(typed.dockerEndpoints === undefined ? {} : { dockerEndpoints: typed.dockerEndpoints }),
    ...(typed.recover === undefined ? {} : { recover: typed.recover }),
    [Symbol.asyncDispose]: () => typed[Symbol.asyncDispose](),
  };
}

async function resolveLabel<C, L>(
  definition: BackendDefinition<C, L>,
  typed: TypedBackend<L>,
  label: LabelConfiguration,
  ctx: CallContext,
): Promise<ResolvedLabel> {
  const read = await definition.label['~standard'].validate(label.options);
  if (read.issues !== undefined) throw wrongOptions(label, read.issues);
  const capabilities = await typed.describeLabel(read.value, label, ctx);
  return { capabilities, canonical: formatLabel(label), data: read.value };
}

function wrongOptions(label: LabelConfiguration, issues: readonly SchemaIssue[]): BackendError {
  const list = issues.map((issue) => `${pathText(issue)}${issue.message}`).join('; ');
  return new BackendError('label', `label "${label.name}" for backend "${label.backend}": ${list}`, {
    resource: label.name,
    issues,
  });
}

function pathText(issue: SchemaIssue): string {
  const keys = (issue.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part));
  return keys.length === 0 ? '' : `${keys.join('.')}: `;
}
