// File contents generated from their names, both for writing and for comparison.

import type { Content } from './plan.ts'
import { seeded } from '../../src/world/random.ts'

const words = [
  'mill', 'stone', 'grain', 'flour', 'water', 'wheel', 'sack', 'bran', 'chaff', 'dust', 'ear', 'field', 'straw', 'tithe', 'yeast',
  'ünïcode',
]

export function bytesOf({ id, bytes, text }: Content): Buffer {
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
