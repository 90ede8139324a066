// Expands operands that are patterns, over local files or the cluster. A path that exists literally is taken literally, whatever
// characters it has. A pattern without a match is ENOENT, as in a strict shell. A trailing slash requires a directory, with and
// without a pattern.

import { expand, isPattern, type GlobEntry, type GlobTree } from '../glob/expand.ts'
import { endsAsDirectory } from '../../src/base/paths.ts'
import { Refusal } from './errors.ts'

export type Tree = GlobTree<GlobEntry>

export async function* expandGlob(operand: string, tree: Tree): AsyncGenerator<string> {
  if (!isPattern(operand)) {
    if (endsAsDirectory(operand)) directoryOrRefusal(operand, await tree.find(operand))
    yield operand
    return
  }
  const itself = await tree.find(operand)
  if (itself) {
    directoryOrRefusal(operand, itself)
    yield operand
    return
  }
  let found = false
  for await (const { path } of expand(operand, tree)) {
    found = true
    yield path
  }
  if (!found) throw new Refusal('ENOENT', `${operand}: no such file or directory`, { details: { path: operand } })
}

/** A missing entry is no error here; the command that uses it reports it. */
function directoryOrRefusal(operand: string, entry: GlobEntry | undefined): void {
  if (entry && !entry.directory && endsAsDirectory(operand))
    throw new Refusal('ENOTDIR', `${operand}: not a directory`, { details: { path: operand } })
}
