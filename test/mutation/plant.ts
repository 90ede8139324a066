// Brings one mutant into the sources that a test run loads; nothing is changed on disk. vitest.config.ts uses the plugin when the
// environment names a mutant or asks for a recording; child processes that inherit the environment load it as a module hook.

import { readFileSync } from 'node:fs'
import { registerHooks, stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { applied, mutantsOf, type Mutant } from './mutators.ts'
import { mutantVariable, recordVariable } from './variables.ts'

export const root = join(import.meta.dirname, '../..')

const mutant = (): Mutant | undefined => JSON.parse(process.env[mutantVariable] ?? 'null') as Mutant | undefined ?? undefined

/** A Vite plugin, ahead of everything that compiles. */
export function plantPlugin(): { name: string; enforce: 'pre'; transform(code: string, id: string): string | undefined } {
  const planted = mutant()
  const recorded = new Set((JSON.parse(process.env[recordVariable] ?? '[]') as string[]).map(file => join(root, file)))
  const files = new Map([...recorded].map(file => [file, file.slice(root.length + 1)]))
  return {
    name: 'plant',
    enforce: 'pre',
    transform(code, id) {
      if (planted && id === join(root, planted.file)) return applied(code, planted)
      const file = files.get(id)
      return file === undefined ? undefined : recording(file, code)
    },
  }
}

/** The text with a call in front of each function's own code. */
export function recording(file: string, text: string): string {
  const edits = mutantsOf(file, text).functions.flatMap(({ start, end, block }, i) => {
    const call = `globalThis.entered?.add(${JSON.stringify(`${file}#${i}`)})`
    return block ? [{ at: start, text: `${call};` }] : [{ at: start, text: `(${call}, ` }, { at: end, text: ')' }]
  })
  // From the end, so that offsets stay right; at one place the outer function, which comes first, opens first and closes last.
  let out = text
  for (const { at, text: added } of edits.map((edit, i) => ({ ...edit, i })).sort((a, b) => b.at - a.at || (a.text === ')' ? a.i - b.i : b.i - a.i))) out = out.slice(0, at) + added + out.slice(at)
  return out
}

const inherited = mutant()
if (inherited && process.env['VITEST'] === undefined) {
  const url = pathToFileURL(join(root, inherited.file)).href
  registerHooks({
    load: (target, context, next) => {
      if (target !== url) return next(target, context)
      const source = stripTypeScriptTypes(applied(readFileSync(join(root, inherited.file), 'utf8'), inherited))
      return { format: 'module', source, shortCircuit: true }
    },
  })
}
