import { expect, it } from 'vitest';
import { templateRecipe } from './template-recipe.ts';

const config = {
  templates: { mine: { rootfs: '/r.tar' }, boxed: { image: 'debian:13', engine: 'podman' as const } },
  packages: ['git', 'curl'],
  id_map: { first: 1_000_000, count: 65_536 },
};
const label = { template: 'debian', presets: [], docker: false };

it('makes distributions by debootstrap, from a mirror of the administrator where there is one', () => {
  expect(templateRecipe({ ...label, release: 'trixie' }, config)).toEqual({
    shown: 'debian:trixie',
    source: {
      kind: 'debootstrap',
      release: 'trixie',
      mirror: 'http://deb.debian.org/debian',
      packages: ['curl', 'git'],
    },
  });
  expect(templateRecipe(label, { ...config, mirror: 'https://m/debian' })).toMatchObject({
    shown: 'debian:bookworm',
    source: { mirror: 'https://m/debian' },
  });
});

it('adds an engine where a label asks for one', () => {
  expect(templateRecipe({ ...label, docker: true }, config).source).toMatchObject({
    packages: ['curl', 'docker.io', 'git', 'iptables'],
  });
});

it('takes templates of the configuration', () => {
  expect(templateRecipe({ ...label, template: 'mine' }, config).source).toEqual({ kind: 'archive', file: '/r.tar' });
  expect(templateRecipe({ ...label, template: 'boxed', presets: ['unprivileged'] }, config)).toEqual({
    shown: 'boxed',
    source: { kind: 'image', image: 'debian:13', engine: 'podman' },
    idShift: config.id_map,
  });
});

it.each(['fedora', 'constructor', '__proto__'])('refuses the template %s', (template) => {
  expect(() => templateRecipe({ ...label, template }, config)).toThrow(
    `expected a template (mine, boxed, debian, ubuntu), found "${template}"`,
  );
});
