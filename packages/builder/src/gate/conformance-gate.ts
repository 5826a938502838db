import path from 'node:path';
import { type EventSink, runStep } from '../events.ts';
import type { ResolvedBackend } from '../resolve/resolved-package.ts';
import { throwAll, UserError } from '../user-error.ts';
import { runSuite, type SuiteOptions, type TestVerdict } from './suite-run.ts';

/** That a result is put through the conformance suite before it is written. */
export interface ConformanceGate {
  readonly lane: SuiteOptions['lane'];
  /** Package to a module or JSON file with options of the suite, as `test --config` takes it. */
  readonly configs: ReadonlyMap<string, string>;
}

/** What a runner tells of how its backend did. No time and no place: the same bytes for the same outcome. */
export interface EmbeddedVerdict {
  readonly suite: string;
  readonly lane: string;
  /** The label that was checked. */
  readonly label?: string;
  /** Operating system and processor of the machine that it was checked on. */
  readonly platform: string;
  readonly passed: number;
  readonly failed: number;
  /** Number of a check to why it was skipped. */
  readonly skipped: Readonly<Record<string, string>>;
}

/** Package to verdict. */
export type EmbeddedVerdicts = ReadonlyMap<string, EmbeddedVerdict>;

/** The result on its way through the gate. */
interface GateInput {
  readonly gate: ConformanceGate;
  readonly backends: readonly ResolvedBackend[];
  /** The built runner: workflows of the suite run on it. */
  readonly runner: string;
  readonly cwd: string;
  readonly emit: EventSink;
}

/**
 * Runs the conformance suite on each backend of a built runner, one after the other: they may want the same platform.
 *
 * @throws UserError `FRB521` to `FRB523`, or UserErrors with those of several backends.
 */
export async function passGate(input: GateInput, signal: AbortSignal): Promise<EmbeddedVerdicts> {
  const { gate, backends, runner, cwd, emit } = input;
  requireKnown(gate, backends);
  return runStep('conformance', emit, async () => {
    const verdicts = new Map<string, TestVerdict>();
    for (const backend of backends) {
      const config = gate.configs.get(backend.name);
      const onCheck: SuiteOptions['onCheck'] = ({ id, title, status, reason }) => {
        if (status !== 'failed') return;
        emit({ event: 'note', message: `${backend.name} ${id} ${title}: ${reason ?? 'failed'}` });
      };
      const options = { cwd, lane: gate.lane, runner, onCheck, signal };
      const verdict = await runSuite(backend, config === undefined ? options : { ...options, config });
      verdicts.set(backend.name, verdict);
    }
    throwAll([...verdicts].flatMap(([name, verdict]) => failure(name, verdict)));
    const detail = [...verdicts].map(([name, { passed, skipped }]) => `${name} ${passed} passed, ${skipped} skipped`);
    const result = new Map([...verdicts].map(([name, verdict]) => [name, embedded(verdict)]));
    return { result, detail: detail.join('; ') || 'no backend' };
  });
}

function requireKnown({ configs }: ConformanceGate, backends: readonly ResolvedBackend[]): void {
  const names = backends.map((one) => one.name);
  const unknown = [...configs.keys()].filter((name) => !names.includes(name));
  if (unknown.length === 0) return;
  throw new UserError(
    'FRB209',
    `--conformance-config: expected one of ${names.join(', ')}, found ${unknown.join(', ')}`,
  );
}

function failure(name: string, { isPassed, checks }: TestVerdict): UserError[] {
  if (isPassed) return [];
  const ids = checks.filter(({ status }) => status === 'failed').map(({ id }) => id);
  return [new UserError('FRB523', `expected ${name} to pass, found ${ids.join(', ')} failed; nothing was written`)];
}

function embedded(verdict: TestVerdict): EmbeddedVerdict {
  const { suite, passed, failed, checks, lane, label, platform } = verdict;
  const skipped = checks.filter(({ status }) => status === 'skipped');
  return {
    suite,
    lane,
    ...(label === undefined ? {} : { label }),
    platform,
    passed,
    failed,
    skipped: Object.fromEntries(skipped.map(({ id, reason = '' }) => [id, reason])),
  };
}

/** Reads `NAME=FILE`. @throws UserError `FRB209` */
export function readGateConfigs(flags: readonly string[], cwd: string): ReadonlyMap<string, string> {
  return new Map(
    flags.map((text) => {
      const at = text.indexOf('=');
      if (at < 1 || at === text.length - 1) {
        throw new UserError('FRB209', `--conformance-config ${JSON.stringify(text)}: expected PACKAGE=FILE`);
      }
      return [text.slice(0, at), path.resolve(cwd, text.slice(at + 1))];
    }),
  );
}
