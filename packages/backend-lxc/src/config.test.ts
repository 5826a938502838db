import { expect, it } from 'vitest';
import { configSchema, defaultPackages } from './config.ts';

it('has a default for everything', () => {
  expect(configSchema.parse(undefined)).toEqual({
    storage: '/var/lib/forgejo-runner-lxc',
    network: 'bridge',
    bridge: 'lxcbr0',
    dns: [],
    docker_engine: {},
    packages: defaultPackages,
    template_max_age_hours: 168,
    templates: {},
    id_map: { first: 1_000_000, count: 65_536 },
  });
});

it.each([
  [{ storage: 'relative' }, 'storage'],
  [{ storage: '/with\nline' }, 'storage'],
  [{ storage: '/a:b' }, 'storage'],
  [{ bridge: 'br0\nlxc.init.cmd = x' }, 'bridge'],
  [{ mirror: 'ftp://x' }, 'mirror'],
  [{ packages: ['--unpack-tarball=x'] }, 'packages.0'],
  [{ dns: ['name'] }, 'dns.0'],
  [{ templates: { a: { image: '--privileged' } } }, 'templates.a.image'],
  [{ templates: { 'a:b': { rootfs: '/x' } } }, 'templates.a:b'],
  [{ id_map: { first: 0, count: 65_536 } }, 'id_map.first'],
  [{ storge: '/x' }, ''],
])('refuses %j', (value, place) => {
  const read = configSchema.safeParse(value);
  expect(read.error?.issues.map(({ path }) => path.join('.'))).toEqual([place]);
});
