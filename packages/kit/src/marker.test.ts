import { expect, it } from 'vitest';
import { markerOf, newMarker } from './marker.ts';

it('makes a marker that nobody else has', () => {
  const marker = newMarker('EXEC');
  expect(marker.name).toBe('FJR_EXEC');
  expect(marker.value).toMatch(/^[0-9a-f]{32}$/);
  expect(newMarker('EXEC').value).not.toBe(marker.value);
});

it('takes up a marker by its value', () => {
  expect(markerOf('ENV', 'abc')).toEqual({
    name: 'FJR_ENV',
    value: 'abc',
    text: 'FJR_ENV=abc',
    env: { FJR_ENV: 'abc' },
  });
});
