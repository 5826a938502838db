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
