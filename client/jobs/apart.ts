// Refuses an output that overlaps an input, before anything is read: for paths and for patterns. A pattern overlaps an output if the
// next run would read what this one publishes. Files that it matches inside the output are found by the namenode, which gets them all.

import { hasCode } from '../../src/base/errors.ts'
import { join, nameOf, namesOf, normalise, overlap } from '../../src/base/paths.ts'
import { checkApart as checkPathsApart, notApart } from '../../src/protocol/apart.ts'
import { stat } from '../../src/protocol/namespace.ts'
import type { OutputFormat } from '../../src/protocol/task.ts'
import { extensionOf } from '../../src/record/writer.ts'
import { expand, isPattern, type GlobEntry, type GlobTree } from '../glob/expand.ts'
import type { Ask } from './ask.ts'
import { hidden } from './inputs.ts'

export interface Overlap { readonly inputs: readonly string[]; readonly output: string; readonly format: OutputFormat }

/** Throws EINVAL. Returns the inputs that are no patterns, as normal paths. */
export async function checkApart(ask: Ask, { inputs, output, format }: Overlap, signal?: AbortSignal): Promise<string[]> {
  const named: string[] = []
  const patterns: string[] = []
  for (const input of inputs) {
    if (isPattern(input) && !await isThere(ask, input, signal)) patterns.push(input)
    else named.push(normalise(input))
  }
  checkPathsApart(output, named)
  const tree = published(output, `part-00000${extensionOf(format)}`)
  for (const pattern of patterns) {
    for await (const { path } of expand(pattern, tree, { hidden })) if (overlap(path, output)) throw notApart(output, pattern)
  }
  return named
}

/** A path that exists as it is written is itself. */
async function isThere(ask: Ask, path: string, signal?: AbortSignal): Promise<boolean> {
  try {
    await ask(stat, { path: normalise(path) }, signal)
    return true
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return false
    throw error
  }
}

/** The namespace as the job will leave it, as far as the output goes: one part, and the directories above it. Every name that is asked for is there. */
function published(output: string, part: string): GlobTree {
  const names = [...namesOf(output), part]
  const path = join(output, part)
  const entryOf = (name: string, directory: boolean): GlobEntry => ({ name, directory })
  return {
    start: () => '/',
    join: (directory, name) => (name === '..' ? normalise(`${directory}/..`) : join(directory, name)),
    async *list(directory) {
      const depth = namesOf(directory).length
      const name = names[depth]
      if (name !== undefined && `/${names.slice(0, depth).join('/')}` === directory) yield entryOf(name, depth < names.length - 1)
    },
    find: async asked => entryOf(nameOf(asked), asked !== path),
  }
}
