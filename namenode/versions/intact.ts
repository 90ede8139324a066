// Compares a version with what its job published: names, inodes and lengths. Outputs are ordinary directories, so a user may have
// changed them since.

import type { OutputFile } from '../../src/protocol/task.ts'
import { digestOf } from '../jobs/publish/staging.ts'
import type { View } from '../journal/view.ts'
import { childrenOf } from '../namespace/asof.ts'
import type { FoundVersion } from './lookup.ts'

/** Files that are compared, about 30 ms. */
const comparedMax = 10_000
const successName = '_SUCCESS'

/** undefined: nothing is known of what was published, or there are too many files. */
export function isIntact(view: View, { id, number: { at }, record: { made: { digest } } }: FoundVersion): boolean | undefined {
  if (digest === undefined) return undefined
  const files: Array<Pick<OutputFile, 'name' | 'inode' | 'length'>> = []
  for (const { name, entry } of childrenOf(view, { entry: { id }, at })) {
    if (name === successName) continue
    if (files.length === comparedMax) return undefined
    files.push({ name, inode: entry.id, length: entry.length })
  }
  return digestOf(files) === digest
}
