// Names that the user knows in place of paths of local files, in messages and plans of the engine. INVARIANT: users of a gateway are told
// no path in the scratch directory of a query.

import { GristmillError } from '../../src/base/errors.ts'
import { escapedPath } from '../../src/operator/sqltable.ts'

export class LocalNames {
  readonly #names = new Map<string, string>()
  /** Addresses of places outside of the cluster, by the paths of what stands for them. */
  readonly #places = new Map<string, string>()
  readonly #directory: string
  readonly #isHidden: boolean

  /** `directory`: of the query. `isHidden`: paths in it that have no names are left out. */
  constructor(directory: string, { isHidden }: { readonly isHidden: boolean }) {
    this.#directory = directory
    this.#isHidden = isHidden
  }

  set(local: string, path: string): void { this.#names.set(local, path) }

  /** `path`: in the cluster, of a file or a directory. */
  setPlace(path: string, address: string): void { this.#places.set(path, address) }

  /** The text with the names. */
  in(text: string): string { return this.#named(this.#withoutOwnSql(text), blank => blank) }

  /** Without the excerpt of a statement that the user has not written: it has paths, which may be cut. */
  #withoutOwnSql(message: string): string {
    return message.replace(excerpt, (whole, sql: string) => {
      const hasPath = [...this.#names.keys()].some(local => sql.includes(local.slice(-tailChars)))
      return hasPath || ownSql.test(sql) ? '' : whole
    })
  }

  /** A plan of the engine, in whose boxes paths are wrapped, with the names. */
  inPlan(plan: string): string {
    const lines = plan.split('\n').map(line => line.split('│'))
    for (const [y, cells] of lines.entries())
      for (const x of cells.keys()) if (isFilled(lines, y, x) && !isFilled(lines, y - 1, x)) this.#renamed(lines, y, x)
    return this.in(lines.map(cells => cells.join('│')).join('\n'))
  }

  /** Renames the paragraph that begins in this cell of a box. */
  #renamed(lines: string[][], y: number, x: number): void {
    let end = y
    while (isFilled(lines, end, x)) end++
    const texts = lines.slice(y, end).map(cells => cells[x]!.trim())
    const start = texts[0]!.endsWith(':') ? 1 : 0
    const joined = texts.slice(start).join('')
    // A space at the end of a line of the paragraph is lost.
    const named = this.#named(joined, () => ' ?')
    if (named === joined) return
    const width = lines[y]![x]!.length
    const pieces = wrapped(named, { width: Math.max(1, width - 2), count: end - y - start })
    for (let at = y + start; at < end; at++) lines[at]![x] = centred(pieces[at - y - start] ?? '', width)
  }

  /** `blank`: what a blank of a path is in the text, as a regular expression. */
  #named(text: string, blank: (text: string) => string): string {
    const form = (path: string): string => path.split(' ').map(literal).join(blank(' '))
    let named = text
    // Local files have names in the cluster, and these the addresses of places.
    for (const [local, path] of [...this.#names, ...this.#places])
      for (const each of new Set([escapedPath(local), local])) named = named.replaceAll(new RegExp(form(each), 'g'), () => path)
    if (!this.#isHidden) return named
    return named.replaceAll(new RegExp(`${form(this.#directory)}(?:/[^\\s'",;]*)?`, 'g'), 'the scratch directory of the query')
  }
}

/** The error of the engine about files, with the path of them: the engine does not tell it of each damage. `locals`: their local paths. */
export function aboutFile(error: unknown, path: string, locals: readonly string[] = []): unknown {
  if (!(error instanceof GristmillError) || error.code !== 'EINVAL') return error
  // A statement behind the message names the file, too.
  const told = error.message.split('\n\nLINE ')[0]!
  if ([path, ...locals, ...locals.map(escapedPath)].some(name => told.includes(name))) return error
  return new GristmillError('EINVAL', `${path}: ${error.message}`, { cause: error, details: error.details })
}

/** Line of the statement that an error of the engine shows, with a mark below it. */
const excerpt = /\n\nLINE \d+: ([^\n]*)(?:\n *\^)?\s*$/
/** Readers of files: a call of a user is a table by the time that the engine gets it. */
const ownSql = /\b(?:read|parquet)_\w+\(/
const tailChars = 20

const literal = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')

/** A cell of a box, between two lines. */
const isFilled = (lines: readonly string[][], y: number, x: number): boolean => {
  const cells = lines[y] ?? []
  return x > 0 && x < cells.length - 1 && cells[x]!.trim() !== ''
}

function wrapped(text: string, { width, count }: { readonly width: number; readonly count: number }): string[] {
  const chars = Array.from(text)
  const fitting = chars.length <= width * count ? chars : [...chars.slice(0, width * count - 1), '…']
  return Array.from({ length: Math.ceil(fitting.length / width) }, (_, i) => fitting.slice(i * width, (i + 1) * width).join(''))
}

function centred(text: string, width: number): string {
  const room = Math.max(0, width - Array.from(text).length)
  return `${' '.repeat(room >> 1)}${text}${' '.repeat(room - (room >> 1))}`
}
