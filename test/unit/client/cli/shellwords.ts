// Words of command lines in guides.

/** Words of a command line as a shell splits them: quotes, and an end at a pipe, a redirection or a comment. */
export function wordsOf(line: string): string[] {
  const words: string[] = []
  for (const [, single, double, plain, end] of line.matchAll(/'([^']*)'|"([^"]*)"|((?:\\.|[^\s'"|><&;#()])+)|([|><&;#()])/g)) {
    if (end !== undefined) break
    words.push(single ?? double ?? plain!)
  }
  return words
}
