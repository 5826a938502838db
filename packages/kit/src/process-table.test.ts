import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { linuxTable, parseBsdList, parseLinuxStat, parseWindowsList, processTable } from './process-table.ts';

let proc = '';
beforeEach(async () => {
  proc = await mkdtemp(path.join(tmpdir(), 'proc-'));
});
afterEach(() => rm(proc, { recursive: true, force: true }));

async function addProcess(pid: number, stat: string, environ?: string): Promise<void> {
  await mkdir(path.join(proc, String(pid)));
  await writeFile(path.join(proc, String(pid), 'stat'), stat);
  if (environ !== undefined) await writeFile(path.join(proc, String(pid), 'environ'), environ);
}

const rest = '0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 12345 0 0';

it('reads the stat of a process with an evil name', () => {
  expect(parseLinuxStat(`42 (a) R 1 (b c) S 7 8 9 ${rest}`)).toEqual({
    pid: 42,
    parentPid: 7,
    groupId: 8,
    sessionId: 9,
    started: '12345',
  });
});

it.each(['Z', 'X'])('takes no process in state %s', (state) => {
  expect(parseLinuxStat(`42 (gone) ${state} 7 8 9 ${rest}`)).toBeUndefined();
});

it('lists processes of a /proc, marked by the whole variable and no part of one', async () => {
  await addProcess(10, `10 (a) S 1 10 10 ${rest}`, 'A=1\0FJR_EXEC=abc\0B=2\0');
  await addProcess(11, `11 (b) S 10 10 10 ${rest}`, 'FJR_EXEC=abcd\0XFJR_EXEC=abc\0');
  await addProcess(12, `12 (unreadable environment) S 10 10 10 ${rest}`);
  await addProcess(13, `13 (dead) Z 10 10 10 ${rest}`, 'FJR_EXEC=abc\0');
  await mkdir(path.join(proc, '14'));
  await writeFile(path.join(proc, 'uptime'), '1');
  const entries = await linuxTable(proc).list('FJR_EXEC=abc');
  expect(entries.map((entry) => [entry.pid, entry.isMarked])).toEqual([
    [10, true],
    [11, false],
    [12, false],
  ]);
});

it('does not signal a process that took over the number of another', async () => {
  await addProcess(process.pid, `${process.pid} (other) S 1 1 1 ${rest}`);
  const [entry] = await linuxTable(proc).list('');
  await writeFile(
    path.join(proc, String(process.pid), 'stat'),
    `${process.pid} (other) S 1 1 1 ${rest.replace('12345', '99999')}`,
  );
  // It would end this very test run.
  await linuxTable(proc).signal(entry === undefined ? [] : [entry], 'SIGKILL');
  expect(await linuxTable(proc).startOf(process.pid)).toBe('99999');
});

it('reads what ps prints on macOS', () => {
  const text = [
    '    1     0     1 Ss   Tue Nov  4 02:29:11 2026     /sbin/launchd',
    '  501     1   501 S+   Tue Nov 24 02:29:11 2026     sleep 5 PATH=/bin FJR_EXEC=abc HOME=/Users/a b',
    '  502   501   501 Z    Tue Nov 24 02:29:11 2026     (sleep)',
    'FJR_EXEC=abc a line of a command that has a line break',
    '',
  ].join('\n');
  expect(parseBsdList(text, 'FJR_EXEC=abc')).toEqual([
    { pid: 1, parentPid: 0, groupId: 1, sessionId: 0, started: 'Tue Nov 4 02:29:11 2026', isMarked: false },
    { pid: 501, parentPid: 1, groupId: 501, sessionId: 0, started: 'Tue Nov 24 02:29:11 2026', isMarked: true },
  ]);
});

it('asks ps for environments on macOS and the BSDs, each in its own way', async () => {
  const calls: unknown[] = [];
  const run = async (file: string, args: readonly string[]): Promise<string> => {
    calls.push([file, ...args.slice(0, -2)]);
    return '';
  };
  await processTable('darwin', run).list('M=1');
  await processTable('freebsd', run).list('M=1');
  expect(calls).toEqual([
    ['ps', '-A', '-E', '-ww'],
    ['ps', '-a', '-x', '-e', '-ww'],
  ]);
});

it('reads what our query prints on Windows', () => {
  expect(parseWindowsList('0 0 \r\n4 0 638999\r\n1234 4 639000\r\nnoise\r\n')).toEqual([
    { pid: 4, parentPid: 0, groupId: 0, sessionId: 0, started: '638999', isMarked: false },
    { pid: 1234, parentPid: 4, groupId: 0, sessionId: 0, started: '639000', isMarked: false },
  ]);
});

it('ends trees by taskkill on Windows, by force only for KILL, and bears with its failure', async () => {
  const calls: string[] = [];
  const table = processTable('win32', async (file, args) => {
    calls.push([file, ...args].join(' '));
    if (file === 'taskkill.exe') throw new Error('not found');
    return '1234 4 639000\r\n';
  });
  const entries = await table.list('');
  await table.signal(entries, 'SIGTERM');
  await table.signal(entries, 'SIGKILL');
  await table.signal([], 'SIGKILL');
  expect(calls.slice(1)).toEqual(['taskkill.exe /T /PID 1234', 'taskkill.exe /T /F /PID 1234']);
  expect(await table.startOf(1234)).toBe('639000');
  expect(calls.at(-1)).toContain("-Filter 'ProcessId=1234'");
});
