// File contents generated from their names, both for writing and for comparison.

import type { Content, Piece } from './plan.ts'
import { seeded } from '../../src/world/random.ts'

const words = [
  'mill', 'stone', 'grain', 'flour', 'water', 'wheel', 'sack', 'bran', 'chaff', 'dust', 'ear', 'field', 'straw', 'tithe', 'yeast',
  'ünïcode',
]

/** Contents of the last files: each is asked for when it is written, read and compared. At most 64 of at most some MiB. */
const recent = new Map<string, Buffer>()
const recentMax = 64

/** A new buffer each time: a fault may change what the caller is given. */
export function bytesOf(content: Content): Buffer {
  const key = `${content.id} ${content.bytes} ${content.text}`
  let bytes = recent.get(key)
  if (bytes === undefined) {
    const [oldest] = recent.keys()
    if (recent.size >= recentMax) recent.delete(oldest!)
    recent.set(key, bytes = made(content))
  }
  return Buffer.from(bytes)
}

function made({ id, bytes, text, pieces }: Content): Buffer {
  if (pieces) return Buffer.concat(pieces.map(({ content, from, to }) => bytesOf(content).subarray(from, to)))
  const random = seeded(`content/${id}`)
  if (!text) return Buffer.from(random.bytes(bytes))
  const lines: string[] = []
  let length = 0
  while (length < bytes) {
    const line = Array.from({ length: 1 + random.below(8) }, () => words[random.below(words.length)]!).join(' ')
    lines.push(line)
    length += line.length + 1
  }
  return Buffer.from(`${lines.join('\n')}\n`)
}

const piecesOf = (content: Content): readonly Piece[] => content.pieces ?? [{ content, from: 0, to: bytesOf(content).length }]

/** The bytes of several contents, one after the other. `bytes` of the result is its length. */
export const joined = (contents: readonly Content[]): Content => ofPieces(contents.flatMap(piecesOf))

/** The first bytes of a content. */
export function cut(content: Content, length: number): Content {
  const kept: Piece[] = []
  let left = length
  for (const piece of piecesOf(content)) {
    const to = Math.min(piece.to, piece.from + left)
    if (to > piece.from) kept.push({ ...piece, to })
    left -= to - piece.from
  }
  return ofPieces(kept)
}

function ofPieces(all: readonly Piece[]): Content {
  const pieces = all.filter(({ from, to }) => to > from)
  const name = ({ content: { id, bytes, text }, from, to }: Piece): string => `${id}/${bytes}${text ? 't' : 'b'}:${from}-${to}`
  return { id: `(${pieces.map(name).join('+')})`, bytes: pieces.reduce((sum, { from, to }) => sum + to - from, 0), text: false, pieces }
}
