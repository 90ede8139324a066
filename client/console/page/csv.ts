// Fields of CSV that are copied for a spreadsheet. Pure.

/** A text that a spreadsheet would take for a formula gets an apostrophe; a number is none. */
export function csvField(value: string | number): string {
  const isFormula = typeof value === 'string' && /^[=+\-@\t\r]/.test(value) && !/^[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?$/i.test(value)
  const text = isFormula ? `'${value}` : String(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
