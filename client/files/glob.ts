// Patterns over names of the cluster: `mill.glob`. No match is no error: nothing comes out.

import { hasCode } from '../../src/base/errors.ts'
import { join, nameOf, normalise } from '../../src/base/paths.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import { expand, type GlobEntry, type GlobTree } from '../glob/expand.ts'

export interface StatusTree {
  status(path: string): Promise<FileStatus>
  list(directory: string): AsyncIterable<FileStatus>
}

/** An entry with all that is known of it. */
export interface StatusEntry extends GlobEntry { readonly status: FileStatus }

/** The cluster as patterns see it. */
export function clusterTree(tree: StatusTree): GlobTree<StatusEntry> {
  const entryOf = (status: FileStatus): StatusEntry => ({ name: nameOf(status.path), directory: status.type === 'directory', status })
  return {
    start: () => '/',
    // Paths of the cluster are keys: `..` takes a name away, and follows nothing.
    join: (directory, name) => (name === '..' ? normalise(`${directory}/..`) : join(directory, name)),
    async *list(directory) { for await (const status of tree.list(directory)) yield entryOf(status) },
    async find(path) {
      try {
        return entryOf(await tree.status(path))
      } catch (error) {
        if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined
        throw error
      }
    },
  }
}

export async function* globPaths(pattern: string, tree: StatusTree): AsyncGenerator<string, void, undefined> {
  for await (const { path } of expand(pattern, clusterTree(tree))) yield path
}
