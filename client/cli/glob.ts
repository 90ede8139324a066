// Operands as people write them: patterns over a tree of names, local or in the cluster. A path that exists as it is written is
// itself, whatever characters it has. A pattern without a match is ENOENT, as in a strict shell. A slash at the end asks for a
// directory, with and without a pattern.

import { expand, isPattern, type GlobEntry, type GlobTree } from '../glob/expand.ts'
import { Refusal } from './errors.ts'

export type Tree = GlobTree<GlobEntry>

export async function* expandGlob(operand: string, tree: Tree): AsyncGenerator<string> {
  if (!isPattern(operand)) {
    if (endsInSlash(operand)) directoryOrRefusal(operand, await tree.find(operand))
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

const endsInSlash = (operand: string): boolean => /[^/]\/+$/.test(operand)

/** What is not there at all is told by whoever wants it. */
function directoryOrRefusal(operand: string, entry: GlobEntry | undefined): void {
  if (entry && !entry.directory && endsInSlash(operand))
    throw new Refusal('ENOTDIR', `${operand}: not a directory`, { details: { path: operand } })
}
