import { callContext } from '../call-context.ts';
import { openTempFolder } from '../temp-folder.ts';
import { type Check, isInLane } from './check.ts';
import { describeError, Nonconformance } from './expectations.ts';
import type { ConformanceOptions, Lane } from './options.ts';
import {
  freshOwner,
  labelOf,
  openBackend,
  openStage,
  problemOf,
  requestOf,
  type Shared,
  Skipped,
  within,
  workplaceOf,
} from './stage.ts';
import type { CheckResult } from './verdict.ts';
import type { Workplace } from './workplace.ts';

/** A run of the suite on one backend: opens it once, runs checks one after the other. */
export interface Session extends AsyncDisposable {
  /** Never rejects: what goes wrong is the result. */
  readonly run: (check: Check) => Promise<CheckResult>;
  /** What all checks share. Rejects where the backend cannot be opened or refuses the label. */
  readonly shared: () => Promise<Shared>;
}

const limitMs = 60_000;
/** What a clean-up may take before the next check starts all the same. */
const cleanUpMs = 60_000;

/** Begins a run. The backend is opened by the first check, so that a failure of that has a place in the verdict. */
export function openSession(options: ConformanceOptions, lane: Lane): Session {
  const stack = new AsyncDisposableStack();
  const common: Common = {};
  let opening: Promise<Shared> | undefined;
  const shared = (): Promise<Shared> => (opening ??= openShared(options, lane, { stack, common }));
  return {
    shared,
    run: async (check) => {
      const result = await runCheck(check, { options, lane, shared });
      // What a failed check left of the common environment is no base for the next one.
      if (result.status === 'failed') await dropWorkplace(common);
      return result;
    },
    [Symbol.asyncDispose]: async () => {
      await dropWorkplace(common);
      await stack.disposeAsync();
    },
  };
}

/** The environment that checks share, while there is one. */
interface Common {
  workplace?: Promise<Workplace>;
}

async function dropWorkplace(common: Common): Promise<void> {
  const workplace = await common.workplace?.catch(() => undefined);
  delete common.workplace;
  const removing = workplace?.environment.remove(callContext()).catch(() => undefined);
  await within(Promise.resolve(removing), cleanUpMs, 'removing').catch(() => undefined);
}

async function openShared(
  options: ConformanceOptions,
  lane: Lane,
  { stack, common }: { readonly stack: AsyncDisposableStack; readonly common: Common },
): Promise<Shared> {
  const owner = freshOwner();
  const stateDir = stack.use(await openTempFolder('forgejo-runner-conformance-'));
  const backend = stack.use(await openBackend(options, { owner, stateDir: stateDir.path }));
  const labelConfiguration = labelOf(options.label);
  const label = await backend.resolveLabel(labelConfiguration, callContext());
  const workplace = async (): Promise<Workplace> => {
    const request = requestOf({ label, owner });
    return workplaceOf({ options }, await backend.createEnvironment(request, callContext()), request);
  };
  return {
    options,
    lane,
    owner,
    backend,
    labelConfiguration,
    label,
    stateDir,
    workplace: async () => {
      common.workplace ??= workplace();
      const { environment } = await common.workplace;
      // Whose platform was started anew knows nothing of it.
      const { alive } = await environment.state(callContext()).catch(() => ({ alive: false }));
      if (!alive) await dropWorkplace(common);
      return (common.workplace ??= workplace());
    },
  };
}

interface Run {
  readonly options: ConformanceOptions;
  readonly lane: Lane;
  readonly shared: Session['shared'];
}

async function runCheck(check: Check, run: Run): Promise<CheckResult> {
  const began = performance.now();
  const measured: Record<string, number> = {};
  const result = (status: CheckResult['status'], reason?: string): CheckResult => ({
    id: check.id,
    title: check.title,
    status,
    ...(reason === undefined ? {} : { reason }),
    ms: Math.round(performance.now() - began),
    ...(Object.keys(measured).length === 0 ? {} : { measured }),
  });
  const exception = run.options.exceptions?.[check.id];
  if (exception !== undefined) return result('skipped', `known not to pass: ${exception}`);
  if (!isInLane(check, run.lane)) return result('skipped', `in the lane "${check.lane}" only`);
  using unhandled = watchUnhandled();
  try {
    const refused = await perform(check, run, (name, value) => void (measured[name] = value));
    const [first] = unhandled.errors;
    if (first !== undefined) return result('failed', `an error that nobody handled: ${describeError(first)}`);
    return refused === undefined ? result('passed') : result('skipped', refused);
  } catch (error) {
    if (error instanceof Skipped) return result('skipped', error.message);
    return result('failed', problemOf(error));
  }
}

/**
 * Takes what would end the process: a backend that forgets an error must fail a check, not the run. Under vitest, which
 * listens as well, it also fails the run.
 */
function watchUnhandled(): Disposable & { readonly errors: readonly unknown[] } {
  const errors: unknown[] = [];
  const onError = (error: unknown): void => void errors.push(error);
  const names = ['unhandledRejection', 'uncaughtException'] as const;
  for (const name of names) process.on(name, onError);
  return {
    errors,
    [Symbol.dispose]: () => {
      for (const name of names) process.off(name, onError);
    },
  };
}

/** Runs the check, or proves the refusal of what the label does not claim; then it gives the reason to skip. */
async function perform(
  check: Check,
  run: Run,
  measure: (name: string, value: number) => void,
): Promise<string | undefined> {
  const limit = check.limitMs ?? limitMs;
  const over = new AbortController();
  const stack = new AsyncDisposableStack();
  try {
    const shared = await within(run.shared(), limitMs, 'opening the backend');
    const stage = openStage(shared, stack, { signal: over.signal, measure });
    const { gate } = check;
    const isOpen = gate === undefined || gate.isClaimed(shared.label.capabilities);
    const work = isOpen ? check.run : gate.proveRefusal;
    if (work !== undefined) await within(work(stage), limit, check.title);
    if (isOpen) return undefined;
    return work === undefined ? `${gate.name} is not claimed` : `${gate.name} is not claimed, and was refused`;
  } finally {
    over.abort(new Nonconformance('the check is over'));
    await within(stack.disposeAsync(), cleanUpMs, 'cleaning up').catch(() => undefined);
  }
}
