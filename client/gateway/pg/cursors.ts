// Statements of cursors: DECLARE, FETCH, MOVE and CLOSE. A cursor is a portal that goes forward only: its rows come as they are computed,
// and none is kept, so a statement that goes back is refused (55000).

import { GristmillError } from '../../../src/base/errors.ts'
import { sqlTokens } from '../../../src/base/sqltokens.ts'

/** Steps of FETCH and MOVE: over a number of rows, or to one row, counted from the start or from where the cursor stands. */
type CursorTarget =
  | { readonly to: 'rows'; readonly count: number }
  | { readonly to: 'absolute' | 'relative'; readonly row: number }

export type CursorStatement =
  | { readonly kind: 'declare'; readonly name: string; readonly sql: string; readonly isHeld: boolean; readonly isBinary: boolean }
  | { readonly kind: 'fetch'; readonly name: string; readonly isMove: boolean; readonly target: CursorTarget }
  | { readonly kind: 'close'; readonly name: string | undefined }

/** Words, names and marks of the statement. */
interface Piece { readonly text: string; readonly end: number; readonly isName: boolean }

const piecesMax = 16

/** REQUIRES: the statement begins with one of the four words. Throws EINVAL. */
export function readCursorStatement(statement: string): CursorStatement {
  const [first, ...pieces] = piecesOf(statement)
  switch (first!.text.toUpperCase()) {
    case 'DECLARE': return declaration(statement, pieces)
    case 'CLOSE': {
      const [name, ...more] = pieces
      if (!name || more.length > 0) throw unread('CLOSE', 'CLOSE name, or CLOSE ALL')
      return { kind: 'close', name: !name.isName && name.text.toUpperCase() === 'ALL' ? undefined : nameOf(name) }
    }
    default: return fetching(first!.text.toUpperCase(), pieces)
  }
}

function piecesOf(statement: string): Piece[] {
  const pieces: Piece[] = []
  for (const { kind, start, end } of sqlTokens(statement)) {
    if (kind === 'blank' || kind === 'comment') continue
    pieces.push({ text: statement.slice(start, end), end, isName: kind === 'name' })
    if (pieces.length >= piecesMax) break
  }
  return pieces
}

/** As PostgreSQL: without quotes in lower case. */
function nameOf({ text, isName }: Piece): string {
  if (isName) return text.slice(1, -1).replaceAll('""', '"')
  if (!/^[\p{L}_]/u.test(text)) throw unread('cursors', 'the name of a cursor as a word, or in double quotes')
  return text.toLowerCase()
}

function declaration(statement: string, [name, ...pieces]: readonly Piece[]): CursorStatement {
  const form = 'DECLARE name CURSOR [WITH HOLD] FOR SELECT …'
  const end = pieces.findIndex(({ text, isName }) => !isName && text.toUpperCase() === 'FOR')
  const words = pieces.slice(0, Math.max(0, end)).map(({ text }) => text.toUpperCase()).join(' ')
  const [, before, after] = /^((?:(?:BINARY|ASENSITIVE|INSENSITIVE|NO SCROLL|SCROLL) )*)CURSOR((?: WITH(?:OUT)? HOLD)?)$/.exec(words) ?? []
  if (!name || before === undefined || after === undefined) throw unread('DECLARE', form)
  if (/(?<!NO )SCROLL/.test(before))
    throw new GristmillError('EINVAL', `a cursor goes forward only here; leave out SCROLL: ${form}`, { details: { sqlstate: '0A000' } })
  // Blanks in place of the words before the query: errors name its lines.
  const at = pieces[end]!.end
  return {
    kind: 'declare', name: nameOf(name), sql: statement.slice(0, at).replaceAll(/[^\n]/g, ' ') + statement.slice(at),
    isHeld: after === ' WITH HOLD', isBinary: before.includes('BINARY'),
  }
}

function fetching(word: string, pieces: readonly Piece[]): CursorStatement {
  const name = pieces.at(-1)
  const words = pieces.slice(0, -1).map(({ text, isName }) => (isName ? '"' : text.toUpperCase()))
  if (words.at(-1) === 'FROM' || words.at(-1) === 'IN') words.pop()
  if (!name || pieces.length >= piecesMax) throw unread(word, `${word} [FORWARD] [count | ALL] FROM name`)
  return { kind: 'fetch', name: nameOf(name), isMove: word === 'MOVE', target: targetOf(word, words.join(' ')) }
}

function targetOf(word: string, direction: string): CursorTarget {
  if (/^(?:NEXT|FORWARD)?$/.test(direction)) return { to: 'rows', count: 1 }
  if (/^(?:FORWARD )?ALL$/.test(direction)) return { to: 'rows', count: Infinity }
  if (direction === 'FIRST') return { to: 'absolute', row: 1 }
  const [, kind, sign = '', digits] = /^(?:(FORWARD|ABSOLUTE|RELATIVE) )?(?:([+-]) )?(\d{1,15})$/.exec(direction) ?? []
  if (digits !== undefined && sign !== '-') {
    const number = Number(digits)
    return kind === 'ABSOLUTE' || kind === 'RELATIVE' ? { to: kind === 'ABSOLUTE' ? 'absolute' : 'relative', row: number }
      : { to: 'rows', count: number }
  }
  if (digits !== undefined || /^(?:PRIOR|LAST|BACKWARD(?: (?:ALL|\d{1,15}))?)$/.test(direction)) throw forwardOnly(`${word} ${direction}`)
  throw unread(word, `${word} [FORWARD] [count | ALL] FROM name`)
}

const forwardOnly = (what: string): GristmillError =>
  new GristmillError('EINVAL', `a cursor goes forward only here, and ${what} is not forward; declare it again to read its rows once more`, {
    details: { sqlstate: '55000' },
  })

/** Rows to pass over, and rows to give, behind the first `at` rows of a cursor. Throws EINVAL for a row that it has given. */
export function stepsOf(target: CursorTarget, at: number, name: string): { readonly skipped: number; readonly count: number } {
  if (target.to === 'rows') {
    if (target.count === 0 && at > 0) throw forwardOnly(`the row that ${JSON.stringify(name)} gave last`)
    return { skipped: 0, count: target.count }
  }
  const row = target.to === 'relative' ? at + target.row : target.row
  if (row <= at) throw forwardOnly(`row ${row} of ${JSON.stringify(name)}, which has given ${at},`)
  return { skipped: row - at - 1, count: 1 }
}

const unread = (word: string, form: string): GristmillError =>
  new GristmillError('EINVAL', `this form of ${word} cannot be read; write ${form}`, { details: { sqlstate: '42601' } })
