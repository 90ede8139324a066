// `mill.glob`: patterns over paths of the cluster. A pattern without a match is no error and yields nothing.

import { hasCode } from '../../src/base/errors.ts'
import { join, nameOf, normalise } from '../../src/base/paths.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import { expand, type GlobEntry, type GlobTree } from '../glob/expand.ts'

export interface StatusTree {
  status(path: string): Promise<FileStatus>
  list(directory: string): AsyncIterable<FileStatus>
}

/** A glob entry with its file status. */
interface StatusEntry extends GlobEntry { readonly status: FileStatus }

/** The cluster's namespace as a glob tree. */
export function clusterTree(tree: StatusTree): GlobTree<StatusEntry> {
  const entryOf = (status: FileStatus): StatusEntry => ({ name: nameOf(status.path), directory: status.type === 'directory', status })
  return {
    start: () => '/',
    // Paths of the cluster are keys: `..` removes the last name, and there are no links to follow.
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
