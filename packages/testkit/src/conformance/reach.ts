import { expectThat } from './expectations.ts';
import type { Workplace } from './workplace.ts';

/** Asks a web server, with whatever client the target has. What it says, or that it does not answer, and why. */
export async function reach(place: Workplace, host: string, port: number): Promise<Reached> {
  const script = `u=http://$1:$2/
if command -v curl > /dev/null; then curl -fsS -m 5 $u
elif command -v wget > /dev/null; then wget -q -T 5 -O - $u
elif command -v bash > /dev/null; then
  bash -c 'exec 3<> "/dev/tcp/$0/$1" && printf "GET / HTTP/1.0\\r\\n\\r\\n" >&3 && sed "1,/^.\\{0,1\\}$/d" <&3' "$1" "$2"
else exit 99; fi`;
  const { result, out, err } = await place.sh(script, { args: [host, String(port)] });
  const isNoClient = result.kind === 'exited' && result.code === 99;
  expectThat(!isNoClient, 'expected curl, wget or bash in the target of the label, found none');
  if (result.kind === 'exited' && result.code === 0) return { said: out.trim() };
  return { silentBecause: err.trim().split('\n').at(-1) ?? '' };
}

type Reached = { readonly said: string } | { readonly silentBecause: string };
