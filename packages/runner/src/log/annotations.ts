import type { Masker } from './masker.ts';

/** A remark on a file or on the run, from `::error::`, `::warning::`, `::notice::` or a problem matcher. Masked. */
export interface Annotation {
  readonly level: 'notice' | 'warning' | 'error';
  readonly message: string;
  readonly title?: string;
  readonly file?: string;
  readonly line?: number;
  readonly endLine?: number;
  readonly column?: number;
  readonly endColumn?: number;
  /** Index of the step that said it. */
  readonly step: number;
}

/** Characters of a message that an annotation keeps. */
const messageLimit = 64 * 1024;

/** The remark that step number `step` made, masked and bounded. */
export function annotationOf(remark: Omit<Annotation, 'step'>, step: number, masker: Masker): Annotation {
  const masked = {
    ...remark,
    message: cut(masker.mask(remark.message), messageLimit),
    step,
  };
  return {
    ...masked,
    ...(remark.title === undefined ? {} : { title: cut(masker.mask(remark.title), 1024) }),
    ...(remark.file === undefined ? {} : { file: cut(masker.mask(remark.file), 4096) }),
  };
}

/**
 * The rows that show an annotation in a log, where nothing else shows it: `##[error]src/a.ts:3:7: title: message`.
 * Further lines of the message follow as rows of their own.
 */
export function annotationRows(annotation: Annotation): readonly string[] {
  let place = annotation.file ?? '';
  if (place !== '' && annotation.line !== undefined) place += `:${annotation.line}`;
  if (place !== '' && annotation.line !== undefined && annotation.column !== undefined)
    place += `:${annotation.column}`;
  const parts = [place, annotation.title ?? '', annotation.message].filter((part) => part !== '');
  return `##[${annotation.level}]${parts.join(': ')}`.split(/\r\n|\r|\n/);
}

function cut(text: string, limit: number): string {
  return text.length <= limit ? text : `${text.slice(0, limit).toWellFormed()}…`;
}
