// File contents generated from their names, both for writing and for comparison.

import type { Content } from './plan.ts'
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

function made({ id, bytes, text }: Content): Buffer {
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
