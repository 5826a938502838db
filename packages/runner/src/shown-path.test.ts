import { expect, it } from 'vitest';
import { shownPath } from './shown-path.ts';

it.each([
  ['/home/me/project/config.yml', 'config.yml'],
  ['/home/me/project/.forgejo/workflows', '.forgejo/workflows'],
  ['/home/me/config.yml', '../config.yml'],
  ['/home/me/project/..config.yml', '..config.yml'],
  ['/home/me/project', '.'],
  ['/etc/config.yml', '/etc/config.yml'],
])('shows %s to somebody in /home/me/project as %s', (file, shown) => {
  expect(shownPath(file, '/home/me/project')).toBe(shown);
});
