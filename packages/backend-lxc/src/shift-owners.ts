import type { CallContext } from '@forgejo-runner/core';
import type { LxcConfig } from './config.ts';
import { launcherProgram } from './launcher.ts';
import { runToolOk } from './lxc-commands.ts';
import type { RootAccess } from './root-access.ts';

// Changing an owner takes set-user-id bits away, so modes are set again. Never follows a symlink.
const script = [
  'use POSIX (); my ($first, $count, @wait) = @ARGV;',
  'while (defined(my $at = shift @wait)) {',
  'my ($mode, $uid, $gid) = (lstat $at)[2, 4, 5]; next unless defined $mode;',
  'POSIX::lchown($first + $uid % $count, $first + $gid % $count, $at) or die "$at: $!\n";',
  'next if -l _; chmod $mode & 07777, $at or die "$at: $!\n"; next unless ($mode & 0170000) == 0040000;',
  'opendir my $dir, $at or die "$at: $!\n"; push @wait, map { "$at/$_" } grep { $_ ne "." && $_ ne ".." } readdir $dir;',
  '}',
].join(' ');

/** Gives the files of a root file system to the users of this machine that stand for those of an unprivileged container. */
export async function shiftOwners(
  root: RootAccess,
  rootfs: string,
  { first, count }: LxcConfig['id_map'],
  ctx: CallContext,
): Promise<void> {
  const argv = root.argv([launcherProgram, '-e', script, '--', String(first), String(count), rootfs]);
  await runToolOk({ argv, table: root.table, doing: 'give the files of a template to others', resource: rootfs }, ctx);
}
