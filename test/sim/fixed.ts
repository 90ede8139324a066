// Fixed seeds of `npm test`, chosen by choose.ts.

import { readFileSync } from 'node:fs'

export const fixedFile = new URL('./fixed.json', import.meta.url)

/** `half`: every other seed, from the first (1) or from the second (2); default: all. */
export function fixedSeeds(half?: number): readonly number[] {
  const all = JSON.parse(readFileSync(fixedFile, 'utf8')) as readonly number[]
  return half === undefined ? all : all.filter((_, i) => i % 2 === half - 1)
}
