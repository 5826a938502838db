import { isBackendError } from '@forgejo-runner/core';
import type { OpenEnvironment } from '../environment/open-environment.ts';

/** Whether a job reaches an address of the runner. `unknown` where its environment has nothing to try it with. */
export type Reach = 'reached' | 'not-reached' | 'unknown';

/** Of the script below, where no program can ask. */
const unknownCode = 42;
const probeMs = 20_000;
/** The job waits for it, and an address that drops packets answers never. */
const tryS = 5;

// With the programs that images usually have, the most common first; none of them is ours to install.
const script = `
if command -v curl >/dev/null 2>&1; then exec curl -ksS --noproxy '*' -m ${tryS} -o /dev/null "$1"; fi
if command -v wget >/dev/null 2>&1; then unset http_proxy https_proxy; wget -q -T ${tryS} -O /dev/null "$1" && exit 0
  case $1 in https:*) exit ${unknownCode};; esac; exit 1; fi
if command -v node >/dev/null 2>&1; then
  exec node -e 'const n=require("node:net").connect(process.argv[2],process.argv[1]);n.setTimeout(${tryS}000,()=>process.exit(1));n.on("error",()=>process.exit(1));n.on("connect",()=>process.exit(0))' "$2" "$3"; fi
if command -v bash >/dev/null 2>&1; then
  command -v timeout >/dev/null 2>&1 || exit ${unknownCode}
  exec timeout ${tryS} bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$2" "$3"; fi
exit ${unknownCode}
`;

/** Tries from inside a job whether it reaches the runner. */
export async function probeReach(place: OpenEnvironment, url: string, signal: AbortSignal): Promise<Reach> {
  const { info, target } = place;
  if (info.pathStyle !== 'posix') return 'unknown';
  const { hostname, port } = new URL(url);
  using ctx = place.call(signal, probeMs);
  try {
    const { result } = target.exec(
      {
        argv: ['sh', '-c', script, 'sh', url, hostname.replaceAll(/[[\]]/g, ''), port],
        env: { ...target.baseEnv, [info.env.pathName]: target.baseEnv[info.env.pathName] ?? info.env.defaultPath },
        cwd: info.paths.temp,
        stdout: () => {},
        stderr: () => {},
      },
      ctx,
    );
    const ended = await result;
    if (ended.kind !== 'exited' || ended.code === unknownCode || ended.code === 127) return 'unknown';
    return ended.code === 0 ? 'reached' : 'not-reached';
  } catch (error) {
    // A look must not end a job that could run without; whoever cancelled it will be heard by the next call.
    if (isBackendError(error)) return 'unknown';
    throw error;
  }
}
