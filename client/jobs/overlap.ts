// Refuses an output that overlaps an input, before anything is read; for paths and for patterns. A pattern overlaps an output if
// the next run would read what this one publishes. The namenode checks the files themselves: it gets all files that
// the patterns match now, and refuses those inside the output.

import { hasCode } from '../../src/base/errors.ts'
import { extensionOf, type OutputFormat } from '../../src/base/formats.ts'
import { isWithin, join, nameOf, namesOf, normalise } from '../../src/base/paths.ts'
import { checkApart, hidden, meets, notApart } from '../../src/protocol/overlap.ts'
import { stat } from '../../src/protocol/namespace.ts'
import { clusterTree } from '../files/glob.ts'
import { expand, isPattern, type GlobEntry, type GlobTree } from '../glob/expand.ts'
import type { CallMessage } from '../call/cluster.ts'
import { treeOf } from './inputs.ts'

interface Place { readonly output: string; readonly format: OutputFormat }

/** Inputs as given: normal paths, and patterns. */
interface NamedInputs { readonly paths: string[]; readonly patterns: string[] }

/** Throws EINVAL for an overlap. */
export async function checkInputsApart(
  ask: CallMessage,
  { inputs, output, format }: Omit<Place, 'output'> & { readonly inputs: readonly string[]; readonly output?: string | undefined },
  signal?: AbortSignal,
): Promise<NamedInputs> {
  const named: NamedInputs = { paths: [], patterns: [] }
  for (const input of inputs) {
    if (isPattern(input) && !(await isThere(ask, input, signal))) named.patterns.push(input)
    else named.paths.push(normalise(input))
  }
  // The result of a step is published nowhere.
  if (output === undefined) return named
  checkApart(output, named.paths)
  for (const pattern of named.patterns) await checkPatternApart(pattern, { output, format })
  return named
}

/** Throws EINVAL if the new output of a kept job would overlap its input patterns; the namenode checks paths. */
export async function checkKeptApart(
  ask: CallMessage,
  { patterns, output, format }: Place & { readonly patterns: readonly string[] },
  signal?: AbortSignal,
): Promise<void> {
  const replaces = await isThere(ask, output, signal)
  for (const pattern of patterns) {
    await checkPatternApart(pattern, { output, format })
    // An output that does not exist contains no input.
    if (replaces)
      for await (const { path } of expand(pattern, clusterTree(treeOf(ask, signal)), { hidden }))
        if (isWithin(path, output)) throw notApart(output, pattern)
  }
}

async function checkPatternApart(pattern: string, { output, format }: Place): Promise<void> {
  const tree = published(output, `part-00000${extensionOf(format)}`)
  for await (const { path } of expand(pattern, tree, { hidden })) if (meets(output, path)) throw notApart(output, pattern)
}

/** A pattern that exists as a literal path is a path. */
async function isThere(ask: CallMessage, path: string, signal?: AbortSignal): Promise<boolean> {
  try {
    await ask(stat, { path: normalise(path) }, signal)
    return true
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return false
    throw error
  }
}

/**
 * The namespace after the job, as far as the output goes: one part, and the directories above it. Every path that is looked up
 * exists.
 */
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
