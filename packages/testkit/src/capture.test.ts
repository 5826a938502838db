import { expect, it } from 'vitest';
import { captureOutput } from './capture.ts';

it('joins chunks that break lines and characters', () => {
  const capture = captureOutput();
  const bytes = Buffer.from('grün\nund\r\nblau', 'utf8');
  for (const byte of bytes) void capture.sink(Uint8Array.of(byte));
  expect(capture.text()).toBe('grün\nund\r\nblau');
  expect(capture.lines()).toEqual(['grün', 'und', 'blau']);
});

it('keeps its own copy of a chunk', () => {
  const capture = captureOutput();
  const chunk = Uint8Array.of(65, 66);
  void capture.sink(chunk);
  chunk.fill(0);
  expect([...capture.bytes()]).toEqual([65, 66]);
});

it('has no lines before anything was written', () => {
  expect(captureOutput().lines()).toEqual([]);
});
