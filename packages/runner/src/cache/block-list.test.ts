import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { readBlockList } from './block-list.ts';

it.each([
  [
    '<?xml version="1.0" encoding="utf-8"?><BlockList><Latest>AA==</Latest><Latest>BB==</Latest></BlockList>',
    ['AA==', 'BB=='],
  ],
  ['<BlockList>\n <Uncommitted>YQ==</Uncommitted>\n <Committed>Yg==</Committed>\n</BlockList>\n', ['YQ==', 'Yg==']],
  ['<BlockList></BlockList>', []],
  ['<BlockList/>', []],
])('reads the blocks of %s', (xml, ids) => {
  expect(readBlockList(xml)).toStrictEqual(ids);
});

it.each([
  '',
  'AA==',
  '<BlockList><Latest>&xxe;</Latest></BlockList>',
  '<!DOCTYPE a [<!ENTITY xxe SYSTEM "file:///etc/passwd">]><BlockList><Latest>&xxe;</Latest></BlockList>',
  '<BlockList><Latest>AA==</Committed></BlockList>',
  '<BlockList><Latest>../../etc</Latest></BlockList>',
  '<BlockList><Other>AA==</Other></BlockList>',
  `<BlockList>${'<Latest>AA==</Latest>'.repeat(50_001)}</BlockList>`,
])('refuses %.60s', (xml) => {
  expect(() => readBlockList(xml)).toThrow('expected a list of at most');
});

it('reads every list that a client writes', () => {
  const id = fc.uint8Array({ minLength: 1, maxLength: 64 }).map((bytes) => Buffer.from(bytes).toString('base64'));
  fc.assert(
    fc.property(fc.array(id), (ids) => {
      const xml = `<?xml version="1.0"?>\n<BlockList>${ids.map((one) => `<Latest>${one}</Latest>`).join('\n')}</BlockList>`;
      expect(readBlockList(xml)).toStrictEqual(ids);
    }),
  );
});
