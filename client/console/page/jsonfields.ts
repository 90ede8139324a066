// The fields of a line of JSON as texts: numbers with the digits that the line has, which a parsed number may lack (9007199254740993,
// 1e400, 1.10). Pure.
// INVARIANT: the text of a nested value is JSON of the same value.

/** Tokens of valid JSON: a text, a sign, or a number or word. */
const tokens = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s"{}[\],:]+/g

/** Fields of an object by their names, the last one of each name as JSON.parse has it; of another value its text. Throws SyntaxError. */
export function jsonFields(line: string): ReadonlyMap<string, string> | string {
  JSON.parse(line)
  const found = line.match(tokens) ?? []
  if (found[0] !== '{') return textOf(found)
  const fields = new Map<string, string>()
  for (let at = 1; found[at] !== '}'; at++) {
    const name = JSON.parse(found[at]!) as string
    const from = at + 2
    at = endOf(found, from)
    fields.set(name, textOf(found.slice(from, at)))
    if (found[at] === '}') break
  }
  return fields
}

/** Index behind the value that begins at `from`. */
function endOf(found: readonly string[], from: number): number {
  let depth = 0
  for (let at = from; ; at++) {
    const token = found[at]!
    if (token === '{' || token === '[') depth++
    else if (token === '}' || token === ']') depth--
    if (depth === 0) return at + 1
  }
}

/** A text is shown without its quotes; a nested value without spaces, and with the characters that escapes stand for. */
function textOf(found: readonly string[]): string {
  if (found.length === 1 && found[0]!.startsWith('"')) return JSON.parse(found[0]!) as string
  return found.map(token => (token.startsWith('"') ? JSON.stringify(JSON.parse(token)) : token)).join('')
}
