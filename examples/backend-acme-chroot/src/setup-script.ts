/**
 * Lays out a sandbox, as root of a new user namespace. Arguments: the root folder, `host` or `none` for the network,
 * seconds to live, then the folders to show read-only.
 *
 * There are two sets of namespaces, one in the other. The outer one mounts; the inner one, where steps run, has
 * received all mounts from a stronger namespace, and the kernel lets it neither unmount nor change those. Without the
 * second, a step could make `/usr` writable again.
 */
export const setupScript = `
set -eu
root=$1 network=$2 seconds=$3
shift 3
mount --bind "$root" "$root"
for folder; do mount --rbind "$folder" "$root$folder"; done
# Flags that the machine set on a mount cannot be dropped here, so they are said again.
while read -r _ _ _ _ point flags _; do
  point=$(printf '%b' "$point")
  case $point in "$root"/*) mount -o "remount,bind,ro\${flags#r?}" "$point" ;; esac
done < /proc/self/mountinfo
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
  : > "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
ln -s /proc/self/fd "$root/dev/fd"
ln -s fd/0 "$root/dev/stdin"
ln -s fd/1 "$root/dev/stdout"
ln -s fd/2 "$root/dev/stderr"
mkdir "$root/dev/shm"
chmod 1777 "$root/dev/shm"
mount -t proc proc "$root/proc"
cd "$root"
pivot_root . old
umount -l /old
rmdir /old
case $network in none) net=--net ;; *) net= ;; esac
exec unshare --user --map-root-user --mount --pid --ipc $net --fork --kill-child --mount-proc -- \\
  /bin/sh -c "$INIT" init "$seconds" "$network"
`;

/**
 * The first process of the inner namespaces: with it everything inside ends. It lives until the runner closes its
 * input, which also happens when the runner is killed, or until its time is over, also where the runner is frozen.
 * The last line keeps the shell from turning into `timeout`, which would not reap the processes that steps leave.
 */
export const initScript = `
if [ "$2" = none ] && command -v ip > /dev/null; then ip link set lo up; fi
echo ready
exec > /dev/null 2>&1
timeout --signal=KILL "$1" cat
exit 0
`;
