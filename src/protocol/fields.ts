// Field schemas that several messages share: counts, texts, paths, ids, addresses, delimiters, counters, failures.

import Type, { type Static } from './schema.ts'
import type {
  Address, AttemptId, BlockId, ClusterId, InodeId, JobId, LeaseId, NodeId, ProgramId, RequestId, SplitsId, StorageId,
} from '../base/ids.ts'
import { recordFormats } from '../base/formats.ts'
import { limits } from '../base/limits.ts'
import { branded, oneOf } from './message.ts'

export const count = Type.Integer({ minimum: 0 })
export const text = (max: number) => Type.String({ maxLength: max })
/** Milliseconds since 1970. */
export const instant = Type.Integer()

export const path = Type.String({ minLength: 1, maxLength: limits.pathBytesMax })
export const name = Type.String({ minLength: 1, maxLength: limits.nameBytesMax })
export const clusterId = branded<ClusterId>(text(64))
export const nodeId = branded<NodeId>(text(64))
export const storageId = branded<StorageId>(text(64))
export const jobId = branded<JobId>(text(64))
export const attemptId = branded<AttemptId>(text(128))
export const splitsId = branded<SplitsId>(Type.String({ minLength: 8, maxLength: 64 }))
export const programId = branded<ProgramId>(text(64))
export const requestId = branded<RequestId>(Type.String({ minLength: 3, maxLength: 80 }))
export const address = branded<Address>(text(300))
export const blockId = branded<BlockId>(count)
export const inodeId = branded<InodeId>(count)
export const leaseId = branded<LeaseId>(count)

export const empty = Type.Object({})

/** A datanode, as needed to connect to it. */
export const nodePlace = Type.Object({ node: nodeId, address, rack: text(255), host: text(255) })
export type NodePlace = Static<typeof nodePlace>

/** Bytes of an inlined file, in base64, and their CRC32C, which each receiver checks. */
export const fileContent = Type.Object({ data: text(Math.ceil(limits.inlineBytesMax / 3) * 4), crc: count })
export type FileContent = Static<typeof fileContent>

/** Record format by which a file's blocks end; `bytes`: anywhere. */
export const recordFormat = oneOf(recordFormats)
/** csv: field separator, one character. */
export const delimiter = Type.String({ minLength: 1, maxLength: 1 })

/** Numbers by name. Names of users' own counters start with `user.`. */
export const counters = Type.Record(Type.String({ maxLength: 200 }), Type.Number())
export type Counters = Static<typeof counters>

/** Error of one of several things that a call asks for; the call itself succeeds. */
export const itemError = Type.Object({ code: text(40), message: text(20_000), details: Type.Record(Type.String(), Type.Unknown()) })
export type ItemError = Static<typeof itemError>

export const failure = Type.Object({
  code: text(40),
  message: text(20_000),
  /** The user's own stack, mapped to the sources. */
  stack: Type.Optional(text(20_000)),
  /** The record being processed. */
  record: Type.Optional(Type.Object({ path: Type.String(), offset: Type.Number() })),
})
export type Failure = Static<typeof failure>
