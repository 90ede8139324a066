// Nearest of several names to a misspelt one, for "did you mean". Pure.

/** The nearest name, ignoring case, if it is near enough: a third of the letters may differ, and always two; one of up to four. */
export function nearest(word: string, names: readonly string[]): string | undefined {
  let best: string | undefined
  let least = word.length > 4 ? Math.max(2, word.length / 3) : 1
  for (const name of names) {
    const distance = editDistance(word.toLowerCase(), name.toLowerCase())
    if (distance > least || (distance === least && best !== undefined) || distance >= Math.max(word.length, name.length)) continue
    best = name
    least = distance
  }
  return best
}

/** Number of letters to insert, delete or change, and of neighbours to swap. */
export function editDistance(a: string, b: string): number {
  let before: readonly number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const least = Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1))
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      next.push(isSwapped ? Math.min(least, before[j - 2]! + 1) : least)
    }
    before = row
    row = next
  }
  return row[b.length]!
}
