// Suggestions for a command or a verb that does not exist.

/** ` (did you mean ls?)`: a name at distance 1, or 2 for a word of more than four letters; empty if there is none. */
export function suggestion(word: string, names: readonly string[]): string {
  const close = names.map(name => ({ name, distance: distance(word.toLowerCase(), name) })).sort((a, b) => a.distance - b.distance)[0]
  return close && close.distance <= (word.length > 4 ? 2 : 1) ? ` (did you mean ${close.name}?)` : ''
}

/** Levenshtein distance: letters to insert, delete or change. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    row = next
  }
  return row[b.length]!
}
