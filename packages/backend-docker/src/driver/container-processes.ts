import { parseLinuxStat, type ProcessEntry, type ProcessTable } from '@forgejo-runner/kit';
import { runOwnScript } from './container-shell.ts';
import type { DockerEndpoint } from './endpoint.ts';

// Shells only: an image need not have ps, grep or readlink. Where there is a grep that reads on after a NUL, unlike that
// of busybox, it is faster than the shell, which reads the environment of each process byte by byte.

/** Prints its own number, then a line for each process: whether it is marked, its owner, and its `stat`. */
const listScript = `
echo "self $$"
all() {
  text=
  while IFS= read -r line || [ -n "$line" ]; do text="$text $line"; done
}
seen=
if printf 'x\\0y' 2> /dev/null | grep -qFe y 2> /dev/null; then
  seen=" $(grep -lFe "$1" /proc/[0-9]*/environ 2> /dev/null | while read -r file; do printf '%s ' "$file"; done)"
fi
for folder in /proc/[0-9]*; do
  { all < "$folder/stat"; } 2> /dev/null || continue
  stat=$text
  mark=-
  case $seen in
    '') { all < "$folder/environ"; } 2> /dev/null || mark=?
      case $text in *"$1"*) [ "$mark" = ? ] || mark=+ ;; esac ;;
    *" $folder/environ "*) mark=+ ;;
    *) { true < "$folder/environ"; } 2> /dev/null || mark=? ;;
  esac
  owner=
  if [ "$mark" = ? ]; then
    { while read -r key id _; do
      case $key in Uid:) owner=$id ;; Gid:) owner=$owner:$id ;; esac
    done < "$folder/status"; } 2> /dev/null
  fi
  echo "$mark$owner $stat"
done`;

/** Sends a signal to each process that is still the one that started then: the arguments are pairs of number and start. */
const signalScript = `
started() {
  now=
  [ $# -gt 19 ] || return
  shift 19
  now=$1
}
set -f
name=$1
shift
while [ $# -gt 1 ]; do
  stat=
  { while IFS= read -r line || [ -n "$line" ]; do stat="$stat $line"; done < "/proc/$1/stat"; } 2> /dev/null
  started \${stat##*) }
  [ "$now" = "$2" ] && kill -s "$name" "$1" 2> /dev/null
  shift 2
done
true`;

/** Root of a container may not look at the environment of others: it is looked at as each of them. */
const maxOwners = 8;
/** Numbers and starts of so many fit into the arguments of one script. */
const signalsAtOnce = 2000;

/** What to take for processes of ours beside those that carry the marker. */
export interface ListOptions {
  /**
   * Whoever has no parent in the container was started from outside by an engine: it is ours, where the marker is on
   * nobody. A process may write over its own environment, and has none of it at the very start.
   */
  readonly claimsParentless?: () => boolean;
}

/** The processes of a container, seen from inside. */
export function containerProcesses(
  endpoint: DockerEndpoint,
  container: string,
  options: ListOptions = {},
): ProcessTable {
  return {
    list: async (marker) => {
      const first = await listAs(endpoint, container, { marker });
      const marked = new Set(first.marked);
      for (const user of [...first.unseen].slice(0, maxOwners)) {
        const again = await listAs(endpoint, container, { marker, user });
        for (const key of again.marked) marked.add(key);
      }
      const isOurs = ({ pid, parentPid }: Listed): boolean =>
        parentPid === 0 && pid !== 1 && options.claimsParentless?.() === true;
      return first.entries.map((entry) => ({ ...entry, isMarked: marked.has(keyOf(entry)) || isOurs(entry) }));
    },
    signal: async (entries, signal) => {
      for (let at = 0; at < entries.length; at += signalsAtOnce) {
        const pairs = entries.slice(at, at + signalsAtOnce).flatMap(({ pid, started }) => [String(pid), started]);
        const args = [signal.replace(/^SIG/, ''), ...pairs];
        await runOwnScript(endpoint, container, { script: signalScript, args });
      }
    },
    startOf: async (pid) => {
      const { entries } = await listAs(endpoint, container, { marker: '' });
      return entries.find((entry) => entry.pid === pid)?.started;
    },
  };
}

type Listed = Omit<ProcessEntry, 'isMarked'>;

interface Listing {
  readonly entries: readonly Listed[];
  readonly marked: ReadonlySet<string>;
  /** `uid:gid` of processes whose environment nobody but them may read. */
  readonly unseen: ReadonlySet<string>;
}

async function listAs(
  endpoint: DockerEndpoint,
  container: string,
  { marker, user }: { readonly marker: string; readonly user?: string },
): Promise<Listing> {
  const script = { script: listScript, args: [marker], ...(user === undefined ? {} : { user }) };
  return parseListing(await runOwnScript(endpoint, container, script));
}

/** Reads what the script prints. What it did not print is left out: the shell may be one of the job's making. */
export function parseListing(text: string): Listing {
  const lines = text.split('\n');
  const self = Number(/^self (\d+)$/.exec(lines[0] ?? '')?.[1]);
  const entries: Listed[] = [];
  const marked = new Set<string>();
  const unseen = new Set<string>();
  for (const line of lines) {
    const [, mark, owner = '', stat = ''] = /^([-+?])(\d+:\d+)?  ?(\d+ \(.*)$/.exec(line) ?? [];
    const entry = mark === undefined ? undefined : parseLinuxStat(stat);
    if (entry === undefined || !isWhole(entry) || entry.pid === self) continue;
    entries.push(entry);
    if (mark === '+') marked.add(keyOf(entry));
    if (mark === '?' && owner !== '') unseen.add(owner);
  }
  return { entries, marked, unseen };
}

function isWhole({ pid, parentPid, groupId, sessionId, started }: Listed): boolean {
  return [pid, parentPid, groupId, sessionId].every(Number.isSafeInteger) && /^\d+$/.test(started);
}

function keyOf({ pid, started }: Listed): string {
  return `${pid}:${started}`;
}

const outputScript = `
for folder in /proc/[0-9]*; do
  text=
  { while IFS= read -r line || [ -n "$line" ]; do text="$text $line"; done < "$folder/environ"; } 2> /dev/null
  case $text in *"$1"*) ;; *) continue ;; esac
  if [ -p "$folder/fd/1" ] || [ -p "$folder/fd/2" ]; then echo held; fi
done`;

/** Whether a process with a marker still has a pipe to write to. */
export async function holdsOutput(endpoint: DockerEndpoint, container: string, marker: string): Promise<boolean> {
  return (await runOwnScript(endpoint, container, { script: outputScript, args: [marker] })).includes('held');
}

const oomScript = `
for file in /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control; do
  if [ -r "$file" ]; then
    while read -r key count _; do [ "$key" = oom_kill ] && echo "$count"; done < "$file"
    break
  fi
done
true`;

/** How many processes of a container the system has killed for want of memory. */
export async function countOomKills(endpoint: DockerEndpoint, container: string): Promise<number> {
  const count = Number.parseInt(await runOwnScript(endpoint, container, { script: oomScript, args: [] }), 10);
  return Number.isSafeInteger(count) ? count : 0;
}
