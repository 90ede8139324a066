// Leases: files that are being written, with writer, attributes and allocated blocks. A file is invisible until it is
// complete. Table "leases" by id, table "writers" by the future place of the file.

import { assert } from '../../src/base/assert.ts'
import { recordFormats, type RecordFormat } from '../../src/base/formats.ts'
import { blockId, inodeId, leaseId, type BlockId, type InodeId, type LeaseId } from '../../src/base/ids.ts'
import { Packer, Unpacker } from '../journal/codec.ts'
import type { Draft } from '../journal/draft.ts'
import { childKey, idKey, readId } from '../journal/keys.ts'
import type { View } from '../journal/view.ts'
import { child } from '../namespace/resolve.ts'

export interface Lease {
  readonly id: LeaseId
  /** Id of the file's directory, which may be renamed during the write. */
  readonly parent: InodeId
  readonly name: string
  /** User who opened the lease; owner of the future file. */
  readonly owner: string
  readonly group: string
  readonly mode: number
  /** Mode of a new file below a default list; default: `mode`. */
  readonly unmasked?: number | undefined
  readonly replication: number
  readonly blockBytes: number
  readonly format: RecordFormat
  /** CSV files: field delimiter, if the writer set one. */
  readonly delimiter?: string | undefined
  /** CSV files: the first row names the columns, or it does not, if the writer said so. */
  readonly header?: boolean | undefined
  /** The complete file may replace an existing one. */
  readonly overwrite: boolean
  /** The complete file has owner, group, mode and list of the one that it replaces. */
  readonly keepsOwner?: boolean | undefined
  readonly openedMs: number
  readonly blocks: readonly BlockId[]
}

const version = 1
/** Version 1 plus the delimiter of a CSV file after the group. */
const delimitedVersion = 2
/** Version 2, where 0 is no delimiter, plus the mode below a default list. */
const unmaskedVersion = 3
/** Version 1 plus the delimiter, 0 if there is none, and flags: header, a mode below a default list, which follows. */
const headedVersion = 4
/** Bit of a lease that keeps the owner of the replaced file, in each version. */
const keeping = 8
const packer = new Packer()

function encode(lease: Lease): Buffer {
  const { delimiter, header, unmasked } = lease
  const written = header !== undefined ? headedVersion
    : unmasked !== undefined ? unmaskedVersion : delimiter !== undefined ? delimitedVersion : version
  packer
    .u8((written << 4) | (lease.keepsOwner ? keeping : 0) | (recordFormats.indexOf(lease.format) << 1) | (lease.overwrite ? 1 : 0))
    .u48(lease.parent)
    .u16(lease.mode)
    .u48(lease.openedMs)
    .u8(lease.replication)
    .varint(lease.blockBytes)
    .text(lease.name)
    .text(lease.owner)
    .text(lease.group)
  if (written >= delimitedVersion) packer.u8(delimiter?.charCodeAt(0) ?? 0)
  if (header !== undefined) packer.u8((header ? 1 : 0) | (unmasked !== undefined ? 2 : 0))
  if (unmasked !== undefined) packer.u16(unmasked)
  let before = 0
  for (const block of lease.blocks) {
    // Block ids of a lease are ascending.
    packer.varint(block - before)
    before = block
  }
  return packer.done()
}

function decode(id: LeaseId, bytes: Buffer): Lease {
  const unpacker = new Unpacker(bytes)
  const first = unpacker.u8()
  const written = first >> 4
  assert(written >= version && written <= headedVersion, `a lease of version ${written}`)
  const parent = inodeId(unpacker.u48())
  const mode = unpacker.u16()
  const openedMs = unpacker.u48()
  const replication = unpacker.u8()
  const blockBytes = unpacker.varint()
  const name = unpacker.text()
  const owner = unpacker.text()
  const group = unpacker.text()
  const code = written >= delimitedVersion ? unpacker.u8() : 0
  const flags = written === headedVersion ? unpacker.u8() : undefined
  const isUnmasked = flags === undefined ? written === unmaskedVersion : (flags & 2) !== 0
  const unmasked = isUnmasked ? unpacker.u16() : undefined
  const blocks: BlockId[] = []
  for (let block = 0; unpacker.more;) blocks.push(blockId(block += unpacker.varint()))
  return {
    id, parent, name, owner, group, mode, replication, blockBytes, format: recordFormats[(first >> 1) & 3]!, overwrite: (first & 1) === 1,
    openedMs, blocks, ...unmasked !== undefined && { unmasked }, ...code !== 0 && { delimiter: String.fromCharCode(code) },
    ...flags !== undefined && { header: (flags & 1) !== 0 }, ...(first & keeping) !== 0 && { keepsOwner: true },
  }
}

export function leaseAt(view: View, id: LeaseId): Lease | undefined {
  const bytes = view.get('leases', idKey(id))
  return bytes && decode(id, bytes)
}

/** Lease of the writer of this name; undefined if there is none. */
export function writerOf(view: View, parent: InodeId, name: string): LeaseId | undefined {
  if (view.counters.leases === 0) return undefined
  const bytes = view.get('writers', childKey(parent, name))
  return bytes && leaseId(readId(bytes))
}

/** True if the lease is this user's, for a new state of the file, whose owner it keeps. */
export function continuesFile(view: View, id: LeaseId, { user, file }: { readonly user: string; readonly file: InodeId }): boolean {
  const lease = leaseAt(view, id)
  return lease?.keepsOwner === true && lease.owner === user && child(view, lease.parent, lease.name)?.id === file
}

export function* leases(view: View): Iterable<Lease> {
  for (const { key, value } of view.range('leases', {})) yield decode(leaseId(readId(key)), value)
}

export function openLease(draft: Draft, lease: Lease): void {
  draft.put('leases', idKey(lease.id), encode(lease))
  draft.put('writers', childKey(lease.parent, lease.name), idKey(lease.id))
  draft.count('leases', 1)
}

export function changeLease(draft: Draft, lease: Lease): void { draft.put('leases', idKey(lease.id), encode(lease)) }

export function closeLease(draft: Draft, lease: Lease): void {
  draft.remove('leases', idKey(lease.id))
  draft.remove('writers', childKey(lease.parent, lease.name))
  draft.count('leases', -1)
}
