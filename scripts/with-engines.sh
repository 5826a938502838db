#!/usr/bin/env bash
# Runs a command while container engines are there to test on: scripts/with-engines.sh npm test
#
# Starts dockerd, podman, and podman without root where none answers, makes the bridge of LXC, tells the command their
# addresses, and ends what it started. As root, podman without root belongs to a user of its own, who is made when CI is set.
set -euo pipefail

[ "$#" -gt 0 ] || { echo 'expected a command; next: scripts/with-engines.sh npm test' >&2; exit 2; }

work=$(mktemp -d)
chmod 0755 "$work"
pids=()
pause_file=''

finish() {
  local status=$? pid
  trap - EXIT
  for pid in ${pids[@]+"${pids[@]}"}; do kill "$pid" 2>/dev/null || true; done
  for pid in ${pids[@]+"${pids[@]}"}; do wait "$pid" 2>/dev/null || true; done
  # Podman without root leaves a process behind that keeps its namespaces.
  if [ -s "$pause_file" ]; then
    pid=$(<"$pause_file")
    case $(ps -o args= -p "$pid" 2>/dev/null) in podman*) kill "$pid" 2>/dev/null || true ;; esac
  fi
  rm -rf "$work"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say() { printf 'engines: %s\n' "$*" >&2; }

docker_answers() { docker -H "unix://$1" version >/dev/null 2>&1; }
podman_answers() { [ -S "$1" ] && podman --remote --url "unix://$1" version >/dev/null 2>&1; }

# start NAME QUESTION SOCKET COMMAND...: in a session of its own, so that an interrupt reaches the tests first.
start() {
  local name=$1 question=$2 socket=$3 log="$work/$1.log"
  shift 3
  setsid "$@" >"$log" 2>&1 &
  pids+=("$!")
  local pid=$! tries=0
  until "$question" "$socket"; do
    tries=$((tries + 1))
    if [ "$tries" -gt 300 ] || ! kill -0 "$pid" 2>/dev/null; then
      say "$name did not start; its last words:"
      tail -n 20 "$log" >&2
      return 1
    fi
    sleep 0.2
  done
  say "$name at $socket"
}

# Podman's own defaults need systemd, more rights over limits than a container of a CI has, and cgroups of one kind only.
write_podman_config() {
  local files
  files=$(ulimit -Hn)
  [ "$files" != unlimited ] || files=1048576
  cat >"$work/containers.conf" <<EOF
[containers]
default_ulimits = ["nofile=$files:$files", "nproc=16384:16384"]
[network]
network_backend = "netavark"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
init_path = "/usr/bin/tini-static"
EOF
  printf '[storage]\ndriver = "overlay"\n' >"$work/storage.conf"
  chmod 0644 "$work"/*.conf
}

# rootless USER RUNTIME_FOLDER COMMAND...: becomes the command, as that user.
rootless() {
  local user=$1 runtime=$2
  shift 2
  local home
  home=$(getent passwd "$user" | cut -d: -f6)
  local settings=(HOME="$home" PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin XDG_RUNTIME_DIR="$runtime"
    CONTAINERS_CONF="$work/containers.conf" CONTAINERS_STORAGE_CONF="$work/storage.conf")
  cd "$home"
  if [ "$(id -u)" -ne 0 ]; then exec env -i "${settings[@]}" "$@"; fi
  exec setpriv --reuid "$user" --regid "$user" --init-groups env -i "${settings[@]}" "$@"
}

make_user() {
  local user=$1
  useradd --create-home --shell /bin/sh "$user"
  grep -q "^$user:" /etc/subuid || usermod --add-subuids 200000-265535 --add-subgids 200000-265535 "$user"
}

start_docker() {
  local socket=${DOCKER_HOST:-unix:///var/run/docker.sock}
  [ "${socket#unix://}" != "$socket" ] || { say "DOCKER_HOST says $socket: used as it is"; return 0; }
  socket=${socket#unix://}
  if docker_answers "$socket"; then say "docker answers at $socket"; return 0; fi
  if [ "$(id -u)" -ne 0 ]; then say 'docker does not answer and only root can start it: not there'; return 0; fi
  start docker docker_answers "$socket" dockerd -H "unix://$socket"
}

start_podman() {
  local socket=/run/podman/podman.sock
  if podman_answers "$socket"; then
    say "podman answers at $socket"
  elif [ "$(id -u)" -eq 0 ]; then
    mkdir -p /run/podman
    export CONTAINERS_CONF="$work/containers.conf"
    start podman podman_answers "$socket" podman system service --time=0 "unix://$socket"
    unset CONTAINERS_CONF
  else
    say 'podman with root does not answer and only root can start it: not there'
    return 0
  fi
  export FORGEJO_RUNNER_TEST_PODMAN="unix://$socket"
}

start_rootless_podman() {
  local user runtime socket
  if [ "$(id -u)" -eq 0 ]; then
    user=forgejo-runner-test
    if ! id "$user" >/dev/null 2>&1; then
      if [ -z "${CI:-}" ]; then say "podman without root wants a user $user, made when CI is set: not there"; return 0; fi
      make_user "$user"
    fi
    # The kernel lets everybody make a network of his own; some images of machines keep the device to root.
    [ -w /dev/net/tun ] && chmod 0666 /dev/net/tun
    runtime=/run/user/$(id -u "$user")
    install -d -m 0700 -o "$user" -g "$user" "$runtime"
    install -d -m 0700 -o "$user" -g "$user" "$runtime/podman"
  else
    user=$(id -un)
    runtime=${XDG_RUNTIME_DIR:-/run/user/$(id -u)}
    [ -d "$runtime" ] || { say "$runtime is not there, and podman without root needs it: not there"; return 0; }
    mkdir -p "$runtime/podman"
  fi
  socket=$runtime/podman/podman.sock
  if podman_answers "$socket"; then
    say "podman without root answers at $socket"
  else
    pause_file=$runtime/libpod/tmp/pause.pid
    start rootless-podman podman_answers "$socket" \
      bash -c "$(declare -f rootless); work='$work'; rootless \"\$@\"" rootless "$user" "$runtime" \
      podman system service --time=0 "unix://$socket"
  fi
  export FORGEJO_RUNNER_TEST_PODMAN_ROOTLESS="unix://$socket"
}

# The bridge of LXC, which its service would make; it stays, as that service leaves it.
start_lxc_bridge() {
  if [ -e /sys/class/net/lxcbr0 ]; then say 'lxcbr0 is there'; return 0; fi
  if [ "$(id -u)" -ne 0 ]; then say 'lxcbr0 is not there and only root can make it'; return 0; fi
  local script
  for script in /usr/libexec/lxc/lxc-net /usr/lib/*/lxc/lxc-net; do
    if [ -x "$script" ]; then
      "$script" start
      say 'lxcbr0 was made'
      return 0
    fi
  done
  say 'lxc-net is not there, and so no bridge'
}

if command -v dockerd >/dev/null || command -v docker >/dev/null; then start_docker; else say 'docker is not installed: not there'; fi
if command -v podman >/dev/null; then
  write_podman_config
  start_podman
  start_rootless_podman
else
  say 'podman is not installed: not there'
fi

if command -v lxc-start >/dev/null; then start_lxc_bridge; else say 'lxc is not installed: not there'; fi

"$@"
