// Globs over any tree of names, local or in the cluster: * ? [a-z] {a,b} within a name, ** over directories.
// A path that exists as it is written is itself, whatever characters it has. No match is ENOENT, as in a strict shell.
// Hidden names match only a pattern that begins with a dot.

import { Refusal } from './complaint.ts'

export interface Tree {
  /** Names in a directory with what they are, in byte order. Throws if it is not a directory. */
  list(directory: string): AsyncIterable<{ readonly name: string; readonly directory: boolean }>
  exists(path: string): Promise<boolean>
  join(directory: string, name: string): string
  /** Where a path begins, and its remaining parts. */
  split(pattern: string): { readonly start: string; readonly parts: readonly string[] }
}

const magic = /[*?[\]{}]|[@!+]\(/

export const isGlob = (text: string): boolean => magic.test(text)

export async function* expandGlob(pattern: string, tree: Tree): AsyncGenerator<string> {
  if (!isGlob(pattern) || await tree.exists(pattern)) {
    yield pattern
    return
  }
  const { default: picomatch } = await import('picomatch')
  let found = false
  for (const one of alternatives(pattern)) {
    const { start, parts } = tree.split(one)
    for await (const path of below(start, parts)) {
      found = true
      yield path
    }
  }
  if (!found) throw new Refusal('ENOENT', `${pattern}: no such file or directory`, { details: { path: pattern } })

  async function* below(directory: string, rest: readonly string[]): AsyncGenerator<string> {
    const [part, ...more] = rest
    if (part === undefined) {
      yield directory
    } else if (part === '**') {
      if (more.length > 0) yield* below(directory, more)
      for await (const entry of tree.list(directory)) {
        if (entry.name.startsWith('.')) continue
        const path = tree.join(directory, entry.name)
        if (entry.directory) yield* below(path, rest)
        else if (more.length === 0) yield path
      }
    } else if (!isGlob(part)) {
      const path = tree.join(directory, part)
      if (await tree.exists(path)) yield* below(path, more)
    } else {
      const matches = picomatch(part, { dot: part.startsWith('.') })
      for await (const entry of tree.list(directory)) {
        if (!matches(entry.name) || (more.length > 0 && !entry.directory)) continue
        yield* below(tree.join(directory, entry.name), more)
      }
    }
  }
}

/** Braces that hold a / speak of several places, as in a shell: `/{a,b/c}.csv` is `/a.csv` and `/b/c.csv`. Others are left to the match of a name. */
export function alternatives(pattern: string): string[] {
  for (let start = pattern.indexOf('{'); start >= 0; start = pattern.indexOf('{', start + 1)) {
    const inside: string[] = []
    let depth = 0
    let from = start + 1
    for (let at = start; at < pattern.length; at++) {
      const letter = pattern[at]
      if (letter === '{') depth++
      else if (letter === ',' && depth === 1) { inside.push(pattern.slice(from, at)); from = at + 1 }
      else if (letter === '}' && --depth === 0) {
        inside.push(pattern.slice(from, at))
        if (inside.length < 2 || !inside.some(one => one.includes('/'))) break
        return inside.flatMap(one => alternatives(pattern.slice(0, start) + one + pattern.slice(at + 1)))
      }
    }
  }
  return [pattern]
}
