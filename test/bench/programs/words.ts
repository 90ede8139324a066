// Functions of the word count benchmark, shared by the job and the bare loop.

export function map(line: string, emit: (word: string, count: number) => void): void {
  for (const word of line.split(' ')) emit(word, 1)
}

export function combine(_word: string, counts: Iterable<number>): number {
  let total = 0
  for (const n of counts) total += n
  return total
}
