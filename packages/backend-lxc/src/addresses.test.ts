import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { AddressPool, addressesOf, type Bridge, readBridge } from './addresses.ts';

let folder = '';
const bridge: Bridge = { name: 'br0', address: '10.0.3.1', prefixLength: 29 };

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'addresses-'));
  await mkdir(path.join(folder, 'claims'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function pool(): AddressPool {
  return new AddressPool(bridge, { claims: path.join(folder, 'claims'), leases: path.join(folder, 'leases') });
}

async function job(name: string): Promise<string> {
  const made = path.join(folder, name);
  await mkdir(made);
  return made;
}

it('lists the addresses of a bridge from the top, without those that mean something else', () => {
  expect([...addressesOf(bridge)]).toEqual(['10.0.3.6', '10.0.3.5', '10.0.3.4', '10.0.3.3', '10.0.3.2']);
  expect([...addressesOf({ ...bridge, address: '192.168.255.14', prefixLength: 30 })]).toEqual(['192.168.255.13']);
});

it('gives each container another address, and none that the DHCP server gave away', async () => {
  await writeFile(path.join(folder, 'leases'), '1700000000 00:16:3e:00:00:01 10.0.3.5 name *\n');
  const jobs = await Promise.all(['a', 'b', 'c'].map(job));
  const given = await Promise.all(jobs.map((one) => pool().claim(one)));
  expect(given.toSorted()).toEqual(['10.0.3.3', '10.0.3.4', '10.0.3.6']);
});

it('gives an address again when its container is gone', async () => {
  const first = await job('a');
  expect(await pool().claim(first)).toBe('10.0.3.6');
  expect(await pool().claim(await job('b'))).toBe('10.0.3.5');
  await pool().release(first);
  expect(await readdir(path.join(folder, 'claims'))).toEqual(['10.0.3.5']);
  expect(await pool().claim(await job('c'))).toBe('10.0.3.6');
  // Nobody released it, but its folder is no more.
  await rm(path.join(folder, 'b'), { recursive: true });
  expect(await pool().claim(await job('d'))).toBe('10.0.3.5');
});

it('waits for the text of a claim that was just begun, and takes over one that was given up', async () => {
  const begun = path.join(folder, 'claims', '10.0.3.6');
  await writeFile(begun, '');
  expect(await pool().claim(await job('a'))).toBe('10.0.3.5');
  await utimes(begun, new Date(0), new Date(0));
  expect(await pool().claim(await job('b'))).toBe('10.0.3.6');
});

it('says so when all are in use', async () => {
  for (const name of ['a', 'b', 'c', 'd', 'e']) await pool().claim(await job(name));
  await expect(pool().claim(await job('f'))).rejects.toMatchObject({
    code: 'capacity',
    message: 'expected a free address at bridge "br0", found none',
  });
});

const answering = (stdout: string) => readBridge('b', async () => ({ code: 0, stdout, stderr: '' }));

it('reads the address of a bridge', async () => {
  const stdout = '[{"addr_info":[{"family":"inet","local":"10.0.3.1","prefixlen":24}]}]';
  await expect(answering(stdout)).resolves.toEqual({
    name: 'b',
    address: '10.0.3.1',
    prefixLength: 24,
  });
});

it.each(['[{"addr_info":[]}]', '[]', 'Device "b" does not exist.', '[{"addr_info":"x"}]'])(
  'says that there is no bridge when ip answers %s',
  async (stdout) => {
    await expect(answering(stdout)).rejects.toMatchObject({
      code: 'unavailable',
      message: 'expected a bridge "b" with an IPv4 address on this machine, found none',
    });
  },
);
