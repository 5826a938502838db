import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { configJsonSchema } from './json-schema.ts';

const published = fileURLToPath(new URL('../../config.schema.json', import.meta.url));

it('is published in the package', async () => {
  await expect(`${JSON.stringify(configJsonSchema(), undefined, 2)}\n`).toMatchFileSnapshot(published);
});

it('knows keys, their texts and what may stand there', () => {
  expect(configJsonSchema()).toMatchObject({
    type: 'object',
    additionalProperties: false,
    properties: {
      log: { properties: { level: { enum: expect.arrayContaining(['info', 'warning']) } } },
      runner: {
        properties: {
          capacity: { type: 'integer', description: expect.stringContaining('How many jobs') },
          timeout: { type: ['string', 'number', 'boolean', 'null'] },
        },
      },
      server: { properties: { connections: { additionalProperties: { required: ['url', 'uuid'] } } } },
    },
  });
});
