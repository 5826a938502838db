import { expect, it } from 'vitest';
import { callContext } from './call-context.ts';

it('keeps what a backend logs, emits and shows', () => {
  const ctx = callContext();
  ctx.log.warn('slow', { ms: 3 });
  ctx.log.info('up');
  ctx.emit({ type: 'phase', at: 1, attributes: { phase: 'boot' } });
  void ctx.progress(Buffer.from('booting\n'));
  expect(ctx.logged).toEqual([
    { level: 'warn', message: 'slow', fields: { ms: 3 } },
    { level: 'info', message: 'up' },
  ]);
  expect(ctx.events).toEqual([{ type: 'phase', at: 1, attributes: { phase: 'boot' } }]);
  expect(ctx.progressed.lines()).toEqual(['booting']);
});

it('carries the signal of the caller', () => {
  const controller = new AbortController();
  const ctx = callContext(controller.signal);
  controller.abort();
  expect(ctx.signal.aborted).toBe(true);
  expect(callContext().signal.aborted).toBe(false);
});
