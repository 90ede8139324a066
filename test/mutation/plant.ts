// Vite plugin that applies one mutant to the sources that a test run loads; files on disk are unchanged. vitest.config.ts uses it when
// the environment names a mutant or asks for a recording. Processes that a test starts load the unchanged sources.

import { join } from 'node:path'
import { applied, mutantsOf, type Mutant } from './mutators.ts'
import { mutantVariable, recordVariable } from './variables.ts'

export const root = join(import.meta.dirname, '../..')

/** Runs before all plugins that compile. */
export function plantPlugin(): { name: string; enforce: 'pre'; transform(code: string, id: string): string | undefined } {
  const recorded = new Set((JSON.parse(process.env[recordVariable] ?? '[]') as string[]).map(file => join(root, file)))
  const files = new Map([...recorded].map(file => [file, file.slice(root.length + 1)]))
  return {
    name: 'plant',
    enforce: 'pre',
    transform(code, id) {
      const planted = JSON.parse(process.env[mutantVariable] || 'null') as Mutant | null
      if (planted && id === join(root, planted.file)) return applied(code, planted)
      const file = files.get(id)
      return file === undefined ? undefined : recording(file, code)
    },
  }
}

/** Source text with a recording call in front of each function's own code. */
export function recording(file: string, text: string): string {
  const edits = mutantsOf(file, text).functions.flatMap(({ start, end, block }, i) => {
    const call = `globalThis.entered?.add(${JSON.stringify(`${file}#${i}`)})`
    return block ? [{ at: start, text: `${call};` }] : [{ at: start, text: `(${call}, ` }, { at: end, text: ')' }]
  })
  // From the end, so that offsets stay right; of two functions at one place the outer one comes first, and must open first and close last.
  let out = text
  for (const { at, text: added } of edits
    .map((edit, i) => ({ ...edit, i }))
    .sort((a, b) => b.at - a.at || (a.text === ')' ? a.i - b.i : b.i - a.i)))
    out = out.slice(0, at) + added + out.slice(at)
  return out
}
