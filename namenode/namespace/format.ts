// First operation of every journal: formats an empty cluster. Creates the root, which is writable by all users and sticky like
// /tmp, and the system's directories.

import { assert } from '../../src/base/assert.ts'
import { clusterId, inodeId, type ClusterId } from '../../src/base/ids.ts'
import { nameOf, systemDirectory } from '../../src/base/paths.ts'
import { decodeValue, encodeValue } from '../journal/codec.ts'
import { textKey } from '../journal/keys.ts'
import { mutation, type AnyMutation } from '../journal/operation.ts'
import type { View } from '../journal/view.ts'
import { encodeEntry } from './entry.ts'
import { rootId, rootKey } from './resolve.ts'
import { addDirectory } from './tree.ts'

/** Submitted programs, named by their SHA-256. */
const programsDirectory = `${systemDirectory}/programs`
/** Output of jobs before it is published. */
export const stagingDirectory = `${systemDirectory}/jobs`

const identityKey = textKey('cluster')

interface ClusterIdentity { readonly cluster: ClusterId; readonly createdMs: number }

export const format = mutation<{ cluster: string; owner: string; nowMs: number }, undefined>({
  kind: 'namespace.format',
  mutate(draft, { cluster, owner, nowMs }) {
    assert(!draft.has('meta', identityKey), 'a cluster is formatted once')
    draft.put('meta', identityKey, encodeValue({ cluster, createdMs: nowMs }))
    draft.counters.epoch = 1
    draft.counters.nextInode = rootId
    draft.counters.nextBlock = 1
    const root = inodeId(draft.take('nextInode'))
    draft.put(
      'children', rootKey,
      encodeEntry({
        id: root, directory: true, mode: 0o1777, owner, group: owner, mtimeMs: Math.floor(nowMs), replication: 0, blockBytes: 0,
        format: 'bytes', length: 0, blocks: 0,
      }),
    )
    draft.count('directories', 1)
    const system = addDirectory(draft, root, nameOf(systemDirectory), { owner, group: owner, mode: 0o755, nowMs })
    // Writable for all users, who store programs, and for executors, which write as the user of their job; sticky, so that users
    // cannot remove each other's files.
    for (const path of [programsDirectory, stagingDirectory])
      addDirectory(draft, system.id, nameOf(path), { owner, group: owner, mode: 0o1777, nowMs })
    return undefined
  },
})

/** undefined: this state has not been formatted. */
export function identityOf(view: View): ClusterIdentity | undefined {
  const bytes = view.get('meta', identityKey)
  if (!bytes) return undefined
  const { cluster, createdMs } = decodeValue<{ cluster: string; createdMs: number }>(bytes)
  return { cluster: clusterId(cluster), createdMs }
}

export const formatMutations: readonly AnyMutation[] = [format]
