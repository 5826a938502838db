import { type ListedSetting, listSettings } from './list-settings.ts';

const introduction = `# Configuration of the Forgejo runner. Every key may be left out; the values below are the defaults, and lines
# that start with "#" and a key show settings that have none. All of them: docs/reference/config.md
`;

const lineWidth = 110;

/** A configuration file with every setting at its default, explained. Reading it gives the defaults. */
export function exampleConfig(): string {
  const all = listSettings();
  return introduction + all.map((listed) => settingText(listed, all)).join('');
}

function settingText(listed: ListedSetting, all: readonly ListedSetting[]): string {
  const { path, setting } = listed;
  const indent = '  '.repeat(path.length - 1);
  const key = path.at(-1) === '<name>' ? 'example' : String(path.at(-1));
  const mark = isCommentedOut(listed, all) ? '#' : '';
  const gap = path.length === 1 ? '\n' : '';
  if (setting === undefined) return `${gap}${indent}${mark}${key}:\n`;
  if (setting.isDeprecated === true) return '';
  // Most types show in the value.
  const type = setting.choices === undefined && key !== 'labels' ? '' : ` (${setting.expected})`;
  const comment = wrapped(setting.about + type, lineWidth - indent.length)
    .map((line) => `${indent}# ${line}\n`)
    .join('');
  const value = setting.byDefault === undefined ? (setting.example ?? '{}') : yamlText(setting.byDefault);
  return `${comment}${indent}${setting.byDefault === undefined || mark !== '' ? '#' : ''}${key}: ${value}\n`;
}

/** What has no place in the defaults: entries with names of somebody's own, and sections that are off. */
function isCommentedOut({ path }: ListedSetting, all: readonly ListedSetting[]): boolean {
  if (path.includes('<name>')) return true;
  const above = all.filter((one) => one.path.length <= path.length && one.path.every((key, at) => key === path[at]));
  return above.some((one) => one.setting === undefined && one.isOptional);
}

/** A default is written as it stands, or in quotes where YAML would take it for something else. */
function yamlText(value: string): string {
  return /^[\w./]+$|^(?:\[\]|\{\})$/.test(value) ? value : JSON.stringify(value);
}

function wrapped(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + word.length + 3 > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}
