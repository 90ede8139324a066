// Reports of a datanode's replicas: everything after registration, changes at once. Sequence numbers increase within a session; the
// namenode ignores reports older than the newest change it knows for a block. `taken`: number of the last order that the datanode had
// taken when it made the report; what the report says is the state after that order, and may be older than a later one.

import Type, { type Static } from './schema.ts'
import { limits } from '../base/limits.ts'
import { blockId, count, empty, nodeId, storageId } from './fields.ts'
import { message } from './message.ts'

export const replica = Type.Object({ id: blockId, length: count, crc: count, storage: storageId })
export type Replica = Static<typeof replica>

/** Changes since the last report. `bad`: found damaged, and no longer served. */
export const changes = message('report.changes', {
  callers: 'node',
  bodyBytesMax: limits.reportBodyBytesMax,
  request: Type.Object({
    node: nodeId,
    session: count,
    seq: count,
    taken: count,
    added: Type.Array(replica, { maxItems: limits.reportPageBlocksMax }),
    removed: Type.Array(blockId, { maxItems: limits.reportPageBlocksMax }),
    bad: Type.Array(blockId, { maxItems: limits.reportPageBlocksMax }),
  }),
  /** `only`: bad replicas of blocks without a known good replica. They must not be deleted. */
  reply: Type.Object({ only: Type.Optional(Type.Array(blockId)) }),
})

/**
 * One page of the full report; block ids increase over the pages, the first page has `first`, the last one `last`. Rows are [id,
 * length, crc]. All pages have the `taken` of the first one.
 */
export const full = message('report.full', {
  callers: 'node',
  bodyBytesMax: limits.reportBodyBytesMax,
  request: Type.Object({
    node: nodeId,
    session: count,
    seq: count,
    taken: count,
    first: Type.Boolean(),
    last: Type.Boolean(),
    storages: Type.Array(Type.Object({
      id: storageId,
      blocks: Type.Array(Type.Tuple([blockId, count, count]), { maxItems: limits.reportPageBlocksMax }),
    })),
  }),
  reply: empty,
})
