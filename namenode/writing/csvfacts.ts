// Facts that the writer of a file has told about it as CSV: its delimiter, and whether its first row has names. Kept for files of every
// format: those whose blocks end anywhere may be CSV too, such as compressed ones.

import { isDelimited, type RecordFormat } from '../../src/base/formats.ts'

/** Mark of an operation whose file keeps both in any format. Missing in those of earlier versions, which kept them for CSV alone. */
export type AnyFormat = true

interface CsvFacts { readonly delimiter?: string | undefined; readonly header?: boolean | undefined }

/** The mark for an operation that needs it. */
export const anyFormatOf = (
  { format = 'bytes', delimiter, header }: CsvFacts & { readonly format?: RecordFormat | undefined },
): { readonly anyFormat?: AnyFormat } =>
  (!isDelimited(format) && (delimiter !== undefined || header !== undefined) ? { anyFormat: true } : {})

/** Facts that the file keeps. */
export const csvOf = (
  { format, delimiter, header, anyFormat }: CsvFacts & { readonly format: RecordFormat; readonly anyFormat?: AnyFormat | undefined },
): CsvFacts =>
  (isDelimited(format) || anyFormat ? { ...delimiter !== undefined && { delimiter }, ...header !== undefined && { header } } : {})
