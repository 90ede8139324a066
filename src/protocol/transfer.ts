// Operations on a wire (Upgrade at `transferPath`), one after the other, each opened by a REQUEST frame. Frames are described in
// src/block/frame.ts and docs/format/frame.md. The JSON parts are typed here.
//
//   write    REQUEST write · DATA* · END          → REPLY written
//   read     REQUEST read                         → DATA* · END          (or REPLY error, at any point, instead of END)
//   shuffle  REQUEST shuffle                      → (REPLY segment · DATA*)* · END
//
// A receiver of a write forwards every frame to the next pipeline member while it writes; it replies once it and all live members
// behind it have synced block file, meta file and directory.

import Type, { type Static } from './schema.ts'
import { attemptId, blockId, clusterId, count, jobId, nodeId, nodePlace, text } from './fields.ts'
import { message } from './message.ts'

export const transferPath = '/v1/transfer'

export const transferRequest = Type.Union([
  Type.Object({
    op: Type.Literal('write'), cluster: clusterId, block: blockId,
    /** Maximum length of the block. */
    bytesMax: count, token: text(300),
    /** The members after this one. */
    pipeline: Type.Array(nodePlace, { maxItems: 16 }),
  }),
  Type.Object({
    op: Type.Literal('read'), cluster: clusterId, block: blockId, offset: count, length: count, token: text(300),
    /** The whole block as the reader knows it: a replica with other content answers CORRUPT before it sends any data. */
    expected: Type.Optional(Type.Object({ length: count, crc: count })),
  }),
  Type.Object({
    op: Type.Literal('shuffle'), cluster: clusterId, job: jobId, partition: count,
    attempts: Type.Array(attemptId, { maxItems: 100_000 }),
    token: text(300),
  }),
])
export type TransferRequest = Static<typeof transferRequest>

/** END of a write: length and checksum of the data sent. END of a read: the same for the reply's data. */
export const transferEnd = Type.Object({ length: count, crc: count })
export type TransferEnd = Static<typeof transferEnd>

const wireError = Type.Object({ code: text(40), message: text(2000), node: Type.Optional(nodeId) })

export const transferReply = Type.Union([
  /** All of `nodes` have the block durably; `failed` were dropped from the pipeline. */
  Type.Object({
    op: Type.Literal('written'), nodes: Type.Array(nodeId),
    failed: Type.Array(Type.Object({ node: nodeId, message: text(2000) })),
  }),
  /** `missing`: this node does not have the map output; no data follows. */
  Type.Object({
    op: Type.Literal('segment'), attempt: attemptId, bytes: count, records: count, crc: count, missing: Type.Optional(Type.Boolean()),
  }),
  Type.Object({ op: Type.Literal('error'), error: wireError }),
])
export type TransferReply = Static<typeof transferReply>

/**
 * Served by datanodes, for readers on the same host: paths of a block's two files. A reader that may open them (the same operating
 * system user) reads and verifies them locally; other readers use a wire.
 */
export const local = message('transfer.local', {
  callers: 'user', unaudited: 'datanodes have no audit log',
  request: Type.Object({ block: blockId, token: text(300) }),
  reply: Type.Object({ data: text(8192), meta: text(8192) }),
})
