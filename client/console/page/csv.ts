// Tables as CSV that is copied for a spreadsheet. Pure.

interface CsvColumn<T> {
  readonly title: string
  /** Nothing is an empty field. */
  readonly value: (row: T) => string | number | undefined
}

/** The titles, and a line for each row. */
export function csvOf<T>(columns: readonly CsvColumn<T>[], rows: readonly T[]): string {
  const lines = [columns.map(({ title }) => title), ...rows.map(row => columns.map(({ value }) => value(row) ?? ''))]
  return lines.map(fields => `${fields.map(csvField).join(',')}\n`).join('')
}

/** A text that a spreadsheet would take for a formula gets an apostrophe; a number is none. */
export function csvField(value: string | number): string {
  const isFormula = typeof value === 'string' && /^[=+\-@\t\r]/.test(value) && !/^[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?$/i.test(value)
  const text = isFormula ? `'${value}` : String(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
