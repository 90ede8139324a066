// Errors of this product as those of PostgreSQL: SQLSTATE by the code, and by the kind of error that the SQL engine names; the place in the
// statement as a position. The one table of this dialect.

import type { ErrorCode, GristmillError } from '../../../src/base/errors.ts'
import { cstring, type MessageWriter } from './wire.ts'

const byCode: Readonly<Partial<Record<ErrorCode, string>>> = {
  EINVAL: '42000', ENOENT: '42P01', EACCES: '42501', TOO_LARGE: '53200', ABORTED: '57014', UNAUTHENTICATED: '28000', OVERLOADED: '53300',
  UNAVAILABLE: '57P03', SAFE_MODE: '57P03', TIMEOUT: '57P05', CORRUPT: 'XX001', JOB_FAILED: '58000', INTERNAL: 'XX000', ENOSPC: '53100',
}

/** By the beginning of the engine's message. */
const byMessage: readonly (readonly [RegExp, string])[] = [
  [/there is no setting /, '42704'], [/^Parser Error|^the SQL has no statement/, '42601'], [/^Catalog Error: (Scalar |Table |Aggregate |)Function/, '42883'],
  [/^Catalog Error|there is no table/, '42P01'], [/^Binder Error: (Referenced column|Table ".*" does not have a column)/, '42703'],
  [/^Binder Error: No function matches/, '42883'], [/^Binder Error: .*(GROUP BY|aggregate)/, '42803'],
    [/^Binder Error: Ambiguous/, '42702'],
  [/^Binder Error/, '42000'], [/^Conversion Error.*out of range/, '22003'], [/^Conversion Error/, '22P02'],
    [/^Out of Range Error/, '22003'], [/^Invalid Input Error/, '22023'],
  [/^Permission Error/, '42501'], [/is not supported here|^Not implemented Error/, '0A000'], [/has no value; give one/, '08P01'],
]

function stateOf({ code, message, details }: GristmillError): string {
  const own = details['sqlstate']
  if (typeof own === 'string') return own
  const known = code === 'EINVAL' ? byMessage.find(([form]) => form.test(message))?.[1] : undefined
  return known ?? byCode[code] ?? '58000'
}

/** Message without the engine's picture of the place, and the place as a number of characters from 1 on. */
function placed(message: string, statement: string): { readonly message: string; readonly position?: number } {
  const found = /\n\nLINE (\d+): (.*)\n( *)\^[^]*$/.exec(message)
  if (!found) return { message }
  const [all, number = '', shown = '', blanks = ''] = found
  const lines = statement.split('\n')
  const line = lines[Number(number) - 1]
  const caret = blanks.length - `LINE ${number}: `.length
  // The engine shows a part of a long line, between dots.
  const [cut, part] = shown.startsWith('...') ? [3, shown.slice(3)] : [0, shown]
  const at = line?.indexOf(part.replace(/\.\.\.$/, '')) ?? -1
  if (line === undefined || at < 0 || caret < cut) return { message }
  const before = lines.slice(0, Number(number) - 1).reduce((sum, each) => sum + [...each].length + 1, 0)
  return { message: message.slice(0, message.length - all.length), position: before + [...line.slice(0, at + caret - cut)].length + 1 }
}

/** Adds ErrorResponse. */
export function addError(
  writer: MessageWriter, error: GristmillError,
  { severity, statement = '' }: { readonly severity: 'ERROR' | 'FATAL'; readonly statement?: string },
): void {
  const { message, position } = placed(error.message, statement)
  const fields: [string, string][] = [['S', severity], ['V', severity], ['C', stateOf(error)], ['M', message]]
  if (position !== undefined) fields.push(['P', String(position)])
  writer.add('E', ...fields.flatMap(([code, value]) => [Buffer.from(code, 'latin1'), cstring(value)]), Buffer.from([0]))
}
