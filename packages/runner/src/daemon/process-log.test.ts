import { expect, it } from 'vitest';
import { fakeIo } from '../../test/fake-io.ts';
import { openProcessLog, type ProcessLogOptions } from './process-log.ts';

function open(options: Partial<ProcessLogOptions> = {}) {
  const { io, stderr } = fakeIo();
  const log = openProcessLog({ stream: io.stderr, level: 'info', mask: (text) => text, now: () => 0, ...options });
  return { log, text: stderr };
}

it('writes a line an entry from its level on', () => {
  const { log, text } = open();
  log.debug('quiet');
  log.info('started');
  log.warn('slow', { afterMs: 5, label: 'deb ian', url: 'a=b', ok: true, nothing: null, missing: undefined });
  log.error('failed', { error: new Error('no') });
  expect(text()).toBe(
    '1970-01-01T00:00:00.000Z INFO  started\n' +
      '1970-01-01T00:00:00.000Z WARN  slow afterMs=5 label="deb ian" url="a=b" ok=true nothing=null missing=undefined\n' +
      '1970-01-01T00:00:00.000Z ERROR failed error="no"\n',
  );
});

it('writes everything at debug and nothing at fatal', () => {
  const all = open({ level: 'trace' });
  all.log.debug('x');
  expect(all.text()).toContain('DEBUG x');
  const none = open({ level: 'fatal' });
  none.log.error('x');
  expect(none.text()).toBe('');
});

it('writes JSON in which fields replace neither time, level nor message', () => {
  const { log, text } = open({ format: 'json' });
  log.info('a\nb', { level: 'x', n: 1n, cause: new Error('outer', { cause: new Error('inner') }) });
  expect(JSON.parse(text())).toEqual({
    time: '1970-01-01T00:00:00.000Z',
    level: 'info',
    message: 'a\nb',
    n: '1',
    cause: { message: 'outer', cause: 'inner' },
  });
});

it.each(['text', 'json'] as const)('keeps an entry on one line and without escape sequences in %s', (format) => {
  const { log, text } = open({ format });
  log.info('a\n2026-01-01 ERROR forged\r\u001b[2J', { x: 'b\nc\u009b' });
  expect(text().slice(0, -1)).not.toMatch(/[\n\r\u001b]/);
});

it('hides secrets in messages and fields', () => {
  const { log, text } = open({ mask: (line) => line.replaceAll('hunter2', '***') });
  log.info('token hunter2', { token: 'hunter2' });
  expect(text()).toContain('token *** token=***');
});

it('survives whatever it is given', () => {
  const { log, text } = open();
  const circle: Record<string, unknown> = { list: [1] };
  circle['self'] = circle;
  const bad = {
    get x(): unknown {
      throw new Error('no');
    },
  };
  log.info('odd', { circle, bad, f: () => 1, twice: [circle['list'], circle['list']] });
  expect(text()).toContain(
    'odd circle={"list":[1],"self":"[circle]"} bad="[unreadable]" f="[function]" twice=[[1],[1]]',
  );
});
