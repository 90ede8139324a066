// Globs over names of the cluster. Only directories that the pattern can reach are listed. Names that start with a dot
// match only where the pattern says the dot. No match is no error: nothing comes out.

import { hasCode } from '../../src/base/errors.ts'
import { join, nameOf } from '../../src/base/paths.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'

const magic = /[*?[\]{}]|[@!+]\(/

export interface GlobTree {
  status(path: string): Promise<FileStatus>
  list(directory: string): AsyncIterable<FileStatus>
}

export async function* globPaths(pattern: string, tree: GlobTree): AsyncGenerator<string, void, undefined> {
  const { default: picomatch } = await import('picomatch')
  const parts = pattern.split('/').filter(part => part !== '' && part !== '.')
  // `**/**` reaches what `**` reaches, and would reach it twice.
  yield* below(await tree.status('/'), parts.filter((part, i) => part !== '**' || parts[i + 1] !== '**'))

  async function* below(at: FileStatus, [part, ...rest]: readonly string[]): AsyncGenerator<string, void, undefined> {
    if (part === undefined) { yield at.path; return }
    if (at.type !== 'directory') return
    if (part === '**') {
      if (rest.length > 0) yield* below(at, rest)
      for await (const entry of tree.list(at.path)) {
        if (nameOf(entry.path).startsWith('.')) continue
        if (rest.length === 0) yield entry.path
        if (entry.type === 'directory') yield* below(entry, [part, ...rest])
      }
    } else if (!magic.test(part)) {
      const entry = await orNone(tree.status(join(at.path, part)))
      if (entry) yield* below(entry, rest)
    } else {
      const matches = picomatch(part, { dot: part.startsWith('.') })
      for await (const entry of tree.list(at.path)) if (matches(nameOf(entry.path))) yield* below(entry, rest)
    }
  }
}

async function orNone(status: Promise<FileStatus>): Promise<FileStatus | undefined> {
  try {
    return await status
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  }
}
