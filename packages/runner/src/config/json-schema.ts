import * as z from 'zod';
import { settingOf } from './plain-value.ts';
import { configSchema } from './schema.ts';

/** The configuration file as a JSON Schema, for editors: what may be written, not what it becomes. */
export function configJsonSchema(): object {
  const schema = z.toJSONSchema(configSchema, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      const setting = settingOf(zodSchema);
      if (setting === undefined) return;
      jsonSchema.description = `${setting.about}. ${setting.expected[0]?.toUpperCase()}${setting.expected.slice(1)}.`;
      if (setting.isDeprecated === true) jsonSchema.deprecated = true;
      // Where the text in the file counts, `3h`, `0` and `yes` are all fine.
      if (setting.isText === true && setting.choices === undefined) {
        delete jsonSchema.type;
        jsonSchema.anyOf = [{ type: 'string' }, { type: 'number' }, { type: 'boolean' }, { type: 'null' }];
      }
    },
  });
  return {
    title: 'Configuration of forgejo-runner',
    ...JSON.parse(JSON.stringify(schema)),
  };
}
