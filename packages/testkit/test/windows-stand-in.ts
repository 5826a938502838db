import { posix, win32 } from 'node:path';
import type { Env, EnvironmentInfo, ExecRequest, ExecResult, Target } from '@forgejo-runner/core';
import { callContext, type ConformanceOptions, referenceBackend } from '../src/index.ts';
import { changed } from './mutants.ts';

/** What a Windows does differently. */
export interface WindowsFaults {
  readonly separator?: ':';
  readonly keepsTwoPaths?: boolean;
  readonly exitsSigned?: boolean;
  readonly losesLineEnds?: boolean;
}

const drive = 'C:\\runner';

/** A stand-in for a Windows machine: as much of `cmd.exe` as the check of Windows targets uses, over a POSIX folder. */
export function windowsSubject(faults: WindowsFaults = {}): ConformanceOptions {
  const { factory } = referenceBackend();
  return changed(
    { factory, label: 'test:reference', isRegistered: false },
    {
      environment: ({ info, target }) => {
        if (target === undefined) throw new Error('expected a target of the reference backend');
        return { info: windowsInfo(info, faults), target: windowsTarget(target, info.paths.workspace, faults) };
      },
    },
  );
}

function windowsInfo(info: EnvironmentInfo, { separator = ';' as ':' }: WindowsFaults): EnvironmentInfo {
  const path = (name: string): string => `${drive}\\${name}`;
  return {
    ...info,
    os: 'Windows',
    pathStyle: 'win32',
    paths: {
      workspace: path('workspace'),
      temp: path('temp'),
      toolCache: path('tools'),
      runner: path('runner'),
      home: path('home'),
    },
    env: { caseInsensitive: true, pathName: 'Path', pathSeparator: separator, defaultPath: 'C:\\Windows\\system32' },
  };
}

function windowsTarget(target: Target, root: string, faults: WindowsFaults): Target {
  const inside = (path: string): string => posix.join(root, ...win32.relative(drive, path).split('\\'));
  const run = async (
    { argv, env, stdout }: ExecRequest,
    readFile: (path: string) => Promise<Buffer>,
  ): Promise<ExecResult> => {
    const line = argv.at(-1) ?? '';
    const [, code] = /^exit (-?\d+)$/.exec(line) ?? [];
    if (code !== undefined)
      return { kind: 'exited', code: faults.exitsSigned === true ? Number(code) : Number(code) >>> 0 };
    const [, typed] = /^type "(.*)"$/.exec(line) ?? [];
    if (typed !== undefined) await stdout(await readFile(inside(typed)));
    else await stdout(Buffer.from(line === 'set' ? listed(env, faults) : echoed(line, env)));
    return { kind: 'exited', code: 0 };
  };
  const readFile = async (path: string): Promise<Buffer> => {
    const chunks: Uint8Array[] = [];
    const stdout = (chunk: Uint8Array): void => void chunks.push(chunk);
    const argv = faults.losesLineEnds === true ? (['tr', '-d', '\r'] as const) : (['cat'] as const);
    const script = ['sh', '-c', '"$@" < "$0"', path, ...argv] as const;
    const request = { argv: script, env: target.baseEnv, cwd: root, stdout, stderr: (): void => {} };
    await target.exec(request, callContext()).result;
    return Buffer.concat(chunks);
  };
  return {
    baseEnv: { Path: 'C:\\Windows\\system32', SystemRoot: 'C:\\Windows' },
    exec: (request) => ({ result: run(request, readFile) }),
    copyIn: (request, ctx) => target.copyIn({ ...request, dest: inside(request.dest) }, ctx),
    copyOut: (request, ctx) => target.copyOut({ ...request, src: inside(request.src) }, ctx),
  };
}

function listed(env: Env, { keepsTwoPaths }: WindowsFaults): string {
  const more = keepsTwoPaths === true ? ['PATH=C:\\other'] : [];
  return [...Object.entries(env).map(([name, value]) => `${name}=${value}`), ...more]
    .map((one) => `${one}\r\n`)
    .join('');
}

/** `echo A& echo B`, with `%NAME%` for variables in whatever letters. */
function echoed(line: string, env: Env): string {
  const lower = new Map(Object.entries(env).map(([name, value]) => [name.toLowerCase(), value]));
  const words = line.split('& ').map((one) => one.replace(/^echo /, ''));
  return words
    .map((one) => `${one.replaceAll(/%([^%]+)%/g, (all, name: string) => lower.get(name.toLowerCase()) ?? all)}\r\n`)
    .join('');
}
