// Lines of the shell of `gristmill sql`, put together to statements and commands. Pure: the shell runs them, and tests give them lines.

import { sqlStatements, sqlTokens } from '../../../src/base/sqltokens.ts'

export type ShellInput =
  | { readonly kind: 'statement'; readonly text: string }
  /** `\d sales`: the word without its backslash or dot, and the rest of the line. */
  | { readonly kind: 'command'; readonly word: string; readonly rest: string }

export class SqlLines {
  #text = ''

  /** Lines of a statement that has not ended are here. */
  get isOpen(): boolean { return this.#text !== '' }
  get text(): string { return this.#text }

  /** Drops the lines of a statement that has not ended. */
  clear(): void { this.#text = '' }

  /** Statements end with a semicolon; a command is a line of its own, which begins with a backslash or a dot. */
  add(line: string): ShellInput[] {
    const [, word, rest = ''] = /^\s*[\\.]([a-z?+]+)(?:\s+(\S[^]*?))?\s*;?\s*$/i.exec(line) ?? []
    if (!this.isOpen && word !== undefined) return [{ kind: 'command', word: word.toLowerCase(), rest }]
    this.#text = this.#text === '' ? line : `${this.#text}\n${line}`
    const end = this.#endOfLast()
    if (end === 0) {
      if (this.#text.trim() === '') this.clear()
      return []
    }
    const statements = sqlStatements(this.#text.slice(0, end))
    this.#text = this.#text.slice(end).trim() === '' ? '' : this.#text.slice(end)
    return statements.map(text => ({ kind: 'statement', text: text.trim() }))
  }

  /** The last statement of an input may have no semicolon. */
  end(): ShellInput[] {
    const statements = sqlStatements(this.#text)
    this.clear()
    return statements.map(text => ({ kind: 'statement', text: text.trim() }))
  }

  #endOfLast(): number {
    let end = 0
    for (const token of sqlTokens(this.#text)) if (token.kind === 'mark' && this.#text[token.start] === ';') end = token.end
    return end
  }
}

/** Words that complete the last one of the line, and the part of it that they complete. */
export function completionsOf(
  line: string, names: { readonly words: readonly string[]; readonly columns: readonly string[] },
): [found: string[], part: string] {
  const [part = ''] = /[\p{L}_\\.][\p{L}\p{N}_$]*$/u.exec(line) ?? []
  if (part === '') return [[], '']
  const isUpper = part === part.toUpperCase() && /\p{L}/u.test(part)
  const found = [...names.columns, ...names.words].filter(word => word.toLowerCase().startsWith(part.toLowerCase()))
    .map(word => (/^[A-Z ]+$/.test(word) && !isUpper ? word.toLowerCase() : word))
  return [[...new Set(found)], part]
}

/** The path in the quotes that are open at the end of the line: directory and beginning of the name. */
export function openPath(line: string): { readonly directory: string; readonly prefix: string } | undefined {
  const last = [...sqlTokens(line)].at(-1)
  if (last?.kind !== 'text' || line[last.start] !== "'" || (last.end - last.start > 1 && line[last.end - 1] === "'")) return undefined
  const path = line.slice(last.start + 1)
  const slash = path.lastIndexOf('/')
  return slash < 0 ? undefined : { directory: path.slice(0, slash) || '/', prefix: path.slice(slash + 1) }
}

export const sqlWords: readonly string[] = [
  'SELECT', 'FROM', 'WHERE', 'GROUP BY', 'ORDER BY', 'HAVING', 'LIMIT', 'OFFSET', 'QUALIFY', 'WITH', 'RECURSIVE', 'JOIN', 'LEFT JOIN',
  'RIGHT JOIN', 'FULL JOIN', 'CROSS JOIN', 'SEMI JOIN', 'ANTI JOIN', 'USING', 'ON', 'AS', 'AND', 'OR', 'NOT', 'IN', 'IS NULL',
  'IS NOT NULL', 'BETWEEN', 'LIKE', 'ILIKE', 'CASE', 'WHEN', 'THEN', 'ELSE', 'END', 'CAST', 'DISTINCT', 'UNION', 'UNION ALL', 'INTERSECT',
  'EXCEPT', 'EXCLUDE', 'REPLACE', 'OVER', 'PARTITION BY', 'ROWS BETWEEN', 'PRECEDING', 'FOLLOWING', 'CURRENT ROW', 'UNBOUNDED', 'ASC',
  'DESC', 'NULLS FIRST', 'NULLS LAST', 'VALUES', 'DESCRIBE', 'SUMMARIZE', 'EXPLAIN', 'EXPLAIN ANALYZE', 'CREATE TABLE', 'CREATE VIEW',
  'CREATE EXTERNAL TABLE', 'CREATE OR REPLACE', 'LOCATION', 'DROP TABLE', 'DROP VIEW', 'ALTER TABLE', 'RENAME TO', 'COMMENT ON', 'ANALYZE',
  'INSERT INTO', 'INSERT OVERWRITE', 'OPTIMIZE TABLE',
  'COPY', 'SHOW TABLES', 'NULL', 'TRUE', 'FALSE', 'INTERVAL', 'DATE', 'TIMESTAMP', 'PIVOT', 'UNPIVOT', 'GROUPING SETS',
  'ROLLUP', 'CUBE', 'FILTER', 'LATERAL', 'UNNEST',
]
