// The text of a query in the editor: its pieces, for their colours, and what could stand at the caret. Pure.

interface SqlPiece { readonly kind: 'word' | 'text' | 'number' | 'comment' | 'plain'; readonly text: string }

const keywords = (
  'all analyze and any as asc between by case cast comment copy create cross cube current date desc describe distinct drop else end ' +
  'except exclude exists explain external fetch filter first following from full grouping group having if ilike in inner insert ' +
  'intersect interval into is join last lateral left like limit location natural not null nulls offset on or order outer over ' +
  'overwrite partition pivot positional preceding qualify range rename replace right rollup rows sample select semi sets show ' +
  'similar summarize table tables then timestamp to true false unbounded union unnest unpivot using values view when where window ' +
  'with recursive'
).split(' ')
const functions = (
  'abs approx_count_distinct arg_max arg_min array_agg avg bool_and bool_or cardinality ceil coalesce concat contains corr cos ' +
  'count current_date date_diff date_part date_trunc dayname dense_rank ends_with epoch exp extract first_value flatten floor ' +
  'format generate_series greatest hash histogram hour ifnull json_extract json_extract_string lag last_value lead least len length ' +
  'list list_aggregate list_contains list_sort list_transform ln log lower lpad ltrim max md5 median min mode month monthname ntile ' +
  'nullif percent_rank position pow quantile_cont random range rank regexp_extract regexp_matches regexp_replace replace reverse ' +
  'round row_number rpad rtrim sin split_part sqrt starts_with stddev strftime string_agg strptime substring sum trim trunc ' +
  'try_cast typeof unnest upper variance week year'
).split(' ')
const known = new Set(keywords)

const piece = new RegExp([
  '--[^\\n]*', '/\\*[^]*?(?:\\*/|$)', "'(?:[^']|'')*(?:'|$)", '"(?:[^"]|"")*(?:"|$)', '\\d+(?:\\.\\d+)?(?:e[-+]?\\d+)?', '[A-Za-z_][\\w$]*',
  '\\s+', '[^]',
].join('|'), 'giy')

const kindOf = (text: string): SqlPiece['kind'] => {
  if (text.startsWith('--') || text.startsWith('/*')) return 'comment'
  if (text.startsWith("'")) return 'text'
  if (/^\d/.test(text)) return 'number'
  return known.has(text.toLowerCase()) ? 'word' : 'plain'
}

/** Together they are the text. */
export const piecesOf = (text: string): SqlPiece[] => [...text.matchAll(piece)].map(([found]) => ({ kind: kindOf(found), text: found }))

/** Kind of the word before the caret, which begins at `from`. */
export type SqlPlace =
  /** A path of the cluster in quotes. */
  | { readonly kind: 'path'; readonly from: number; readonly path: string }
  /** A column of one table, by its name or its alias. */
  | { readonly kind: 'column'; readonly from: number; readonly word: string; readonly of: string }
  | { readonly kind: 'word'; readonly from: number; readonly word: string }

/** undefined: within a comment or another text. */
export function placeAt(text: string, caret: number): SqlPlace | undefined {
  let at = 0
  let last: SqlPiece | undefined
  let before: SqlPiece[] = []
  for (const each of piecesOf(text.slice(0, caret))) {
    before = [last, ...before].filter(part => part !== undefined).slice(0, 3)
    last = each
    at += each.text.length
  }
  if (!last) return { kind: 'word', from: caret, word: '' }
  const from = at - last.text.length
  if (last.kind === 'comment') return last.text.endsWith('*/') ? { kind: 'word', from: caret, word: '' } : undefined
  if (last.text.startsWith("'")) {
    const isOpen = last.text.length === 1 || !last.text.endsWith("'")
    const path = last.text.slice(1)
    return isOpen && path.startsWith('/') ? { kind: 'path', from: from + 1, path } : undefined
  }
  const [second, third] = before
  const isWord = /^[A-Za-z_"]/.test(last.text)
  if (last.text === '.' && second && isName(second.text)) return { kind: 'column', from: caret, word: '', of: bare(second.text) }
  if (isWord && second?.text === '.' && third && isName(third.text))
    return { kind: 'column', from, word: bare(last.text), of: bare(third.text) }
  if (isWord) return { kind: 'word', from, word: bare(last.text) }
  return last.kind === 'number' ? undefined : { kind: 'word', from: caret, word: '' }
}

const isName = (text: string): boolean => /^[A-Za-z_"]/.test(text)
const bare = (text: string): string => text.replace(/^"|"$/g, '').replaceAll('""', '"')

/** Tables of the text that the catalogue may have, by their names and aliases, in small letters. */
export function tablesIn(text: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  const words = piecesOf(text).filter(({ kind, text: own }) => kind !== 'comment' && own.trim() !== '')
  words.forEach(({ text: own }, i) => {
    if (!/^(?:from|join|,|describe|summarize|table)$/i.test(own)) return
    const [name, second, third] = [words[i + 1], words[i + 2], words[i + 3]]
    if (!name || !isName(name.text) || name.kind === 'word') return
    found.set(bare(name.text).toLowerCase(), bare(name.text))
    const alias = second && /^as$/i.test(second.text) ? third : second
    if (alias && isName(alias.text) && alias.kind !== 'word') found.set(bare(alias.text).toLowerCase(), bare(name.text))
  })
  return found
}

export interface Suggestion {
  readonly text: string
  readonly note: string
}

/** A table of the catalogue; `columns` once they are known. */
export interface KnownTable {
  readonly name: string
  readonly kind: string
  readonly columns?: ReadonlyArray<{ readonly name: string; readonly type: string }> | undefined
}

const suggestionsMax = 40

/** What could be written at a place that is not a path: columns of the query's tables, tables, functions, and words of SQL. */
export function suggestionsFor(
  place: Exclude<SqlPlace, { kind: 'path' }>, text: string, tables: readonly KnownTable[],
): readonly Suggestion[] {
  const byName = new Map(tables.map(table => [table.name.toLowerCase(), table]))
  const named = tablesIn(text)
  const columnsOf = (name: string): Suggestion[] =>
    (byName.get(name.toLowerCase())?.columns ?? []).map(({ name: column, type }) => ({ text: quoted(column), note: type }))
  const start = place.word.toLowerCase()
  const fits = ({ text: own }: Suggestion): boolean => bare(own).toLowerCase().startsWith(start) && bare(own) !== place.word
  if (place.kind === 'column') return distinct(columnsOf(named.get(place.of.toLowerCase()) ?? place.of).filter(fits))
  if (start === '') return distinct([...new Set(named.values())].flatMap(columnsOf))
  return distinct([
    ...[...new Set(named.values())].flatMap(columnsOf),
    ...tables.map(({ name, kind }) => ({ text: name, note: kind })),
    ...functions.map(name => ({ text: `${name}(`, note: 'function' })),
    ...keywords.map(word => ({ text: word.toUpperCase(), note: '' })),
  ].filter(fits))
}

/** A name needs quotes unless it is made of letters, digits and `_`, and is no word of SQL. */
const quoted = (name: string): string =>
  (/^[A-Za-z_]\w*$/.test(name) && !known.has(name.toLowerCase()) ? name : `"${name.replaceAll('"', '""')}"`)

function distinct(all: readonly Suggestion[]): Suggestion[] {
  const seen = new Map<string, Suggestion>()
  for (const each of all) if (!seen.has(each.text)) seen.set(each.text, each)
  return [...seen.values()].slice(0, suggestionsMax)
}

/** The text with the suggestion in place of what stands before the caret, and the new caret. */
export function accepted(text: string, caret: number, from: number, suggestion: string): { readonly text: string; readonly caret: number } {
  return { text: text.slice(0, from) + suggestion + text.slice(caret), caret: from + suggestion.length }
}

/** Begins with EXPLAIN, behind blanks and comments: its answer is a plan, and no rows. Each alternative ends at one place only. */
export const isExplained = (sql: string): boolean => /^(?:\s|--[^\n]*\n|\/\*(?:[^*]|\*(?!\/))*\*\/)*explain\b/i.test(sql)
