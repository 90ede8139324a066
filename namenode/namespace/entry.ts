// Entry of a name: the value of (parent, name) in the table "children". The bytes are packed by hand because there are
// millions (docs/format/metadata.md). The blocks of a file are stored separately (file.ts), so that listings do not read them.

import { codeOf, placeOf, type AclEntry } from '../../src/base/acl.ts'
import { assert } from '../../src/base/assert.ts'
import { GristmillError } from '../../src/base/errors.ts'
import { recordFormats, type RecordFormat } from '../../src/base/formats.ts'
import { inodeId, type InodeId } from '../../src/base/ids.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import { Packer, Unpacker } from '../journal/codec.ts'

export interface NameEntry {
  readonly id: InodeId
  readonly directory: boolean
  readonly mode: number
  readonly owner: string
  readonly group: string
  readonly mtimeMs: number
  /** Files only; 0, 0, 'bytes', 0, 0 for a directory. */
  readonly replication: number
  readonly blockBytes: number
  readonly format: RecordFormat
  /** CSV files: field delimiter, one ASCII character, if the writer set one. */
  readonly delimiter?: string | undefined
  /** CSV files: the first row names the columns, or it does not, if the writer said so. */
  readonly header?: boolean | undefined
  readonly length: number
  readonly blocks: number
  /** Extended list; missing: mode says everything. */
  readonly acl?: readonly AclEntry[] | undefined
}

const version = 1
/** Version 1 plus the delimiter of a CSV file before `since`. Entries without a delimiter are still written as version 1. */
const delimitedVersion = 2
/** An inlined file: version 1 plus the delimiter, 0 if there is none. Versions of gristmill that do not know inlined files refuse it. */
const inlinedVersion = 3
/** Version 3, inlined or not, with the extended list behind it. Versions of gristmill that do not know lists refuse it. */
const listedVersion = 4
/** Version 3, inlined or not, with flags behind the delimiter. Versions of gristmill that do not know headers refuse it. */
const headedVersion = 5
const packer = new Packer()
const unpacker = new Unpacker()

/** True for a file whose bytes are in the namenode's store (content.ts). */
export const isInlined = ({ directory, length, blocks }: Pick<NameEntry, 'directory' | 'length' | 'blocks'>): boolean =>
  !directory && blocks === 0 && length > 0

function checkVersion(first: number): number {
  const found = first >> 4
  assert(found >= version && found <= headedVersion, `an entry of version ${found}`)
  return found
}

/** Six bytes of milliseconds: until the year 10889. */
const instantMax = 2 ** 48 - 1

export function checkInstant(ms: number): void {
  if (ms < 0 || ms > instantMax) throw new GristmillError('EINVAL', `the time ${ms} ms is not between 1970 and the year 10889`)
}

/** `since`: number of the operation that wrote the entry, if there was a snapshot then; else 0, which is older than any snapshot. */
export function encodeEntry(entry: NameEntry, since = 0): Buffer {
  const format = recordFormats.indexOf(entry.format)
  assert(format >= 0, 'a known format')
  // First byte: version in the upper four bits, then a flag for `since` at the end, format in two bits, directory flag in the
  // last.
  const delimited = entry.delimiter !== undefined
  const inlined = isInlined(entry)
  const headed = entry.header !== undefined
  const written = headed ? headedVersion : entry.acl ? listedVersion : inlined ? inlinedVersion : delimited ? delimitedVersion : version
  packer
    .u8((written << 4) | (since > 0 ? 8 : 0) | (format << 1) | (entry.directory ? 1 : 0))
    .u48(entry.id)
    .u16(entry.mode)
    .u48(entry.mtimeMs)
    .text(entry.owner)
    .text(entry.group === entry.owner ? '' : entry.group)
  if (!entry.directory) packer.u8(entry.replication).varint(entry.blockBytes).varint(entry.length).varint(entry.blocks)
  if (delimited || inlined || headed || (entry.acl && !entry.directory)) packer.u8(entry.delimiter?.charCodeAt(0) ?? 0)
  if (headed) packer.u8((entry.header ? 1 : 0) | (entry.acl ? 2 : 0))
  if (entry.acl) packAcl(entry.acl)
  if (since > 0) packer.u48(since)
  return packer.done()
}

/** Count, then for each entry one byte of place and permissions, and its name. */
function packAcl(acl: readonly AclEntry[]): void {
  packer.varint(acl.length)
  for (const each of acl) packer.u8(codeOf(each) << 3 | each.perm).text(each.name ?? '')
}

function unpackAcl(): AclEntry[] {
  return Array.from({ length: unpacker.varint() }, () => {
    const code = unpacker.u8()
    const name = unpacker.text()
    return { ...placeOf(code >> 3), ...name !== '' && { name }, perm: code & 7 }
  })
}

export const sinceOf = (bytes: Buffer): number => ((bytes[0]! & 8) === 0 ? 0 : bytes.readUIntLE(bytes.length - 6, 6))

/** True if the encoded entry is a directory; decodes the first byte only. */
export const isDirectory = (bytes: Buffer): boolean => (bytes[0]! & 1) === 1

export function decodeEntry(bytes: Buffer): NameEntry {
  const first = unpacker.of(bytes).u8()
  const written = checkVersion(first)
  const directory = (first & 1) === 1
  const id = inodeId(unpacker.u48())
  const mode = unpacker.u16()
  const mtimeMs = unpacker.u48()
  const owner = unpacker.text()
  const group = unpacker.text() || owner
  if (directory) {
    const none = { replication: 0, blockBytes: 0, format: 'bytes', length: 0, blocks: 0 } as const
    return { id, directory, mode, owner, group, mtimeMs, ...none, ...written === listedVersion && { acl: unpackAcl() } }
  }
  const replication = unpacker.u8()
  const blockBytes = unpacker.varint()
  const length = unpacker.varint()
  const blocks = unpacker.varint()
  const code = written === version ? 0 : unpacker.u8()
  const delimiter = code === 0 ? undefined : String.fromCharCode(code)
  const flags = written === headedVersion ? unpacker.u8() : undefined
  const listed = flags === undefined ? written === listedVersion : (flags & 2) !== 0
  const entry = {
    id, directory, mode, owner, group, mtimeMs, replication, blockBytes, format: recordFormats[(first >> 1) & 3]!, length, blocks,
  }
  if (delimiter === undefined && flags === undefined && !listed) return entry
  return {
    ...entry, ...delimiter !== undefined && { delimiter }, ...flags !== undefined && { header: (flags & 1) !== 0 },
    ...listed && { acl: unpackAcl() },
  }
}

/** The fields of an entry that count for a quota. Skips the others: up to 50,000 entries are counted within one operation. */
export function decodeSize(bytes: Buffer): Pick<NameEntry, 'id' | 'directory' | 'length' | 'replication'> {
  const first = unpacker.of(bytes).u8()
  checkVersion(first)
  const directory = (first & 1) === 1
  const id = inodeId(unpacker.u48())
  if (directory) return { id, directory, length: 0, replication: 0 }
  unpacker.skip(2 + 6) // mode and time
  unpacker.skipText() // owner
  unpacker.skipText() // group
  const replication = unpacker.u8()
  unpacker.varint() // block size
  return { id, directory, length: unpacker.varint(), replication }
}

/** A page of a list makes a thousand of them: the fields that most entries lack are added to those that have them. */
export function statusOf(path: string, entry: NameEntry): FileStatus {
  const { id, directory, length, replication, blockBytes, blocks, format, owner, group, mode, mtimeMs } = entry
  const status: FileStatus = {
    path, id, type: directory ? 'directory' : 'file', length, replication, blockBytes, blocks, format, owner, group, mode, mtimeMs,
  }
  if (isInlined(entry)) status.inlined = true
  if (entry.delimiter !== undefined) status.delimiter = entry.delimiter
  if (entry.header !== undefined) status.header = entry.header
  if (entry.acl) status.acl = true
  return status
}

/** A status tells that there is a list, not what is in it. */
const entryOf = ({ path: _, type, inlined: __, acl, ...rest }: FileStatus): NameEntry =>
  ({ ...rest, directory: type === 'directory', ...acl && { acl: [] } })

/** Compact form of a status for repeated requests that name the path again. One is kept per change, so it is small. */
export const keepStatus = (status: FileStatus): Uint8Array => encodeEntry(entryOf(status))
export const recallStatus = (kept: unknown, { path }: { readonly path: string }): FileStatus => statusOf(path, decodeEntry(kept as Buffer))

/** Same for requests that do not name the path: entry, then path. */
export const keepPlaced = (status: FileStatus): Uint8Array => Buffer.concat([encodeEntry(entryOf(status)), Buffer.from(status.path)])
export function recallPlaced(kept: unknown): FileStatus {
  const entry = decodeEntry(kept as Buffer)
  return statusOf(unpacker.rest().toString(), entry)
}
