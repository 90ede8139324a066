// Blocks of files: table "files", in chunks, so that a large file is read and written in parts; and table "blocks", from a
// block to its file, which is used to judge reported replicas.

import { assert } from '../../src/base/assert.ts'
import { blockId, inodeId, type BlockId, type InodeId } from '../../src/base/ids.ts'
import { Packer, Unpacker } from '../journal/codec.ts'
import type { Draft } from '../journal/draft.ts'
import { idKey, pieceKey, readId } from '../journal/keys.ts'
import type { Row, View } from '../journal/view.ts'

export interface Block {
  readonly id: BlockId
  readonly length: number
  readonly crc: number
  readonly aligned: boolean
}

/** A block that belongs to a file. */
interface KnownBlock {
  readonly id: BlockId
  readonly inode: InodeId
  readonly length: number
  readonly crc: number
}

/** 256 blocks take about 3 KiB, which fits into a page of the store. */
export const chunkBlocks = 256
const version = 1
const packer = new Packer()

interface Chunk {
  readonly replication: number
  readonly blocks: Block[]
}

/** Version, replication (valid in chunk 0), then per block: id (minus the previous one), 2 * length + aligned, crc. */
function encodeChunk({ replication, blocks }: Chunk): Buffer {
  packer.u8(version).u8(replication)
  let before = 0
  for (const { id, length, crc, aligned } of blocks) {
    // Ids mostly rise; for a falling id the sign is the last bit.
    const step = id - before
    packer.varint(Math.abs(step) * 2 + (step < 0 ? 1 : 0)).varint(length * 2 + (aligned ? 1 : 0)).u32(crc)
    before = id
  }
  return packer.done()
}

function decodeChunk(bytes: Buffer): Chunk {
  const unpacker = new Unpacker(bytes)
  assert(unpacker.u8() === version, 'a chunk of a file of version 1')
  const replication = unpacker.u8()
  const blocks: Block[] = []
  let id = 0
  while (unpacker.more) {
    const step = unpacker.varint()
    id += Math.floor(step / 2) * (step % 2 === 1 ? -1 : 1)
    const size = unpacker.varint()
    blocks.push({ id: blockId(id), length: Math.floor(size / 2), crc: unpacker.u32(), aligned: size % 2 === 1 })
  }
  return { replication, blocks }
}

const encodeKnown = (inode: InodeId, { length, crc }: Block): Buffer => packer.u8(version).u48(inode).u32(length).u32(crc).done()

export function knownBlock(view: View, id: BlockId): KnownBlock | undefined {
  const bytes = view.get('blocks', idKey(id))
  return bytes && decodeKnown(id, bytes)
}

function decodeKnown(id: BlockId, bytes: Buffer): KnownBlock {
  const unpacker = new Unpacker(bytes)
  assert(unpacker.u8() === version, 'a block of version 1')
  return { id, inode: inodeId(unpacker.u48()), length: unpacker.u32(), crc: unpacker.u32() }
}

/** Blocks of all files in order of their ids, from `from` on. */
export function* knownBlocks(view: View, from: number, limit: number): Iterable<KnownBlock> {
  for (const { key, value } of view.range('blocks', { start: idKey(from), limit })) yield decodeKnown(blockId(readId(key)), value)
}

/** Replication of a file; undefined if it has no blocks or does not exist. */
export function targetOf(view: View, inode: InodeId): number | undefined {
  return view.get('files', pieceKey(inode, 0))?.[1]
}

const chunksOf = (view: View, inode: InodeId, from: number, limit?: number): Iterable<Row> =>
  view.range('files', { start: pieceKey(inode, from), end: pieceKey(inode + 1, 0), limit })

/** Chunks of a file's blocks, in order. */
export function* blocksOf(view: View, inode: InodeId, fromChunk = 0): Iterable<readonly Block[]> {
  for (const { value } of chunksOf(view, inode, fromChunk)) yield decodeChunk(value).blocks
}

/** Number of blocks in a row of the table "files". */
export const blocksIn = (row: Buffer): number => decodeChunk(row).blocks.length

export function putBlocks(draft: Draft, inode: InodeId, replication: number, blocks: readonly Block[]): void {
  for (let i = 0; i < blocks.length; i += chunkBlocks) {
    draft.put('files', pieceKey(inode, i / chunkBlocks), encodeChunk({ replication, blocks: blocks.slice(i, i + chunkBlocks) }))
  }
  for (const block of blocks) draft.put('blocks', idKey(block.id), encodeKnown(inode, block))
  draft.count('blocks', blocks.length)
}

/**
 * Blocks of a file, with the keys of the rows in "files" that hold them. `count`: number of blocks in its entry, if the caller has it; a
 * file of one chunk is then one lookup, which costs a quarter of a range.
 */
export function heldBlocks(
  view: View, inode: InodeId, count = Infinity,
): { readonly keys: readonly Buffer[]; readonly blocks: readonly Block[] } {
  const key = pieceKey(inode, 0)
  const first = count <= chunkBlocks ? view.get('files', key) : undefined
  if (first) {
    const { blocks } = decodeChunk(first)
    if (blocks.length === count) return { keys: [key], blocks }
  }
  const rows = [...chunksOf(view, inode, 0)]
  return { keys: rows.map(({ key }) => Buffer.from(key)), blocks: rows.flatMap(({ value }) => decodeChunk(value).blocks) }
}

/**
 * Takes the blocks from a file that is about to be removed. Their rows in "blocks" still name it. Looks up nothing.
 * REQUIRES: the caller gives the blocks to another file in the same operation (`putBlocks`).
 */
export function releaseBlocks(draft: Draft, { keys, blocks }: ReturnType<typeof heldBlocks>): void {
  for (const key of keys) draft.remove('files', key)
  draft.count('blocks', -blocks.length)
}

/** Sets the replication of a file that has blocks. */
export function putTarget(draft: Draft, inode: InodeId, replication: number): void {
  const bytes = draft.get('files', pieceKey(inode, 0))
  if (!bytes) return
  const changed = Buffer.from(bytes)
  changed[1] = replication
  draft.put('files', pieceKey(inode, 0), changed)
}

/** Removes the last chunk of a file; returns its blocks, or undefined if there are no more chunks. */
export function removeLastChunk(draft: Draft, inode: InodeId): BlockId[] | undefined {
  for (const { key, value } of draft.range('files', { start: pieceKey(inode, 0), end: pieceKey(inode + 1, 0), limit: 1, reverse: true })) {
    const ids = decodeChunk(value).blocks.map(block => block.id)
    draft.remove('files', Buffer.from(key))
    for (const id of ids) draft.remove('blocks', idKey(id))
    draft.count('blocks', -ids.length)
    return ids
  }
  return undefined
}
