// Packs a split into one text, for jobs of many small files. As JSON objects a range takes about 230 bytes and 30 values to parse;
// packed it takes about 20 bytes plus the part of its path that differs from the previous range. docs/format/split.md describes the
// bytes. Numbers are in base 36, each followed by a full stop; ids are differences from the previous ones.

import { GristmillError } from '../base/errors.ts'
import { blockId, inodeId } from '../base/ids.ts'
import { checkPath } from '../base/paths.ts'
import type { Split, SplitRange } from './task.ts'

/** Ranges of one split: a task message lists each with its blocks and their locations, and 1000 keep it well below a megabyte. */
export const splitRangesMax = 1000

type Block = SplitRange['blocks'][number]

const flag = { aligned: 1, whole: 2, delimiter: 4, tiled: 8 } as const

export function packSplit({ bytes, ranges }: Split): string {
  let text = number(bytes) + number(ranges.length)
  let path = ''
  let inode = 0
  let block = 0
  for (const range of ranges) {
    const { start, end, fileBytes, aligned, delimiter, blocks } = range
    const whole = start === 0 && end === fileBytes
    const tiled = isTiled(range)
    const shared = sharedOf(path, range.path)
    text +=
      number(shared)
      + number(range.path.length - shared)
      + range.path.slice(shared)
      + number(
        (aligned ? flag.aligned : 0) + (whole ? flag.whole : 0) + (delimiter !== undefined ? flag.delimiter : 0) + (tiled ? flag.tiled : 0),
      )
      + number(range.inode - inode)
      + number(fileBytes)
    if (!whole) text += number(start) + number(end - start)
    if (delimiter !== undefined) text += number(delimiter.charCodeAt(0))
    text += number(blocks.length)
    blocks.forEach(({ id, offset, length, crc }, index) => {
      text += number(id - block) + number(crc)
      if (!tiled) text += number(offset) + number(length)
      else if (index < blocks.length - 1) text += number(length)
      block = id
    })
    path = range.path
    inode = range.inode
  }
  return text
}

const number = (value: number): string => `${value.toString(36)}.`

/** True if the blocks tile the range without gaps: then offsets, and the last length, are omitted. */
function isTiled({ start, end, blocks }: SplitRange): boolean {
  let at = start
  for (const { offset, length } of blocks) {
    if (offset !== at) return false
    at += length
  }
  return at === end && blocks.length > 0
}

/** Length of the common prefix in UTF-16 units; never splits a surrogate pair, because halves do not survive UTF-8. */
function sharedOf(a: string, b: string): number {
  const most = Math.min(a.length, b.length)
  let shared = 0
  while (shared < most && a.charCodeAt(shared) === b.charCodeAt(shared)) shared++
  const last = b.charCodeAt(shared - 1)
  return last >= 0xd800 && last < 0xdc00 ? shared - 1 : shared
}

/** Throws EINVAL if the text is no valid packed split. */
export function unpackSplit(text: string): Split {
  const fields = new Fields(text)
  const bytes = fields.count()
  const count = fields.count()
  if (count > splitRangesMax) throw invalid(`it has ${count} ranges, and may have ${splitRangesMax}`)
  const ranges: SplitRange[] = []
  let path = ''
  let inode = 0
  let block = 0
  for (let i = 0; i < count; i++) {
    const shared = fields.count()
    const rest = fields.text(fields.count())
    // Shared directories of a path are checked only once: a page has room for 50,000 ranges of a path of 8 KiB.
    if (i === 0 || rest !== '' || shared < path.length) {
      path = path.slice(0, shared) + rest
      checkPath(path, Math.max(0, path.lastIndexOf('/', shared - 1)))
    }
    const flags = fields.count()
    inode += fields.number()
    const fileBytes = fields.count()
    const whole = (flags & flag.whole) !== 0
    const start = whole ? 0 : fields.count()
    const end = whole ? fileBytes : start + fields.count()
    if (end > fileBytes || inode < 0) throw invalid(`a range of ${path}, ${start} to ${end}, does not lie in its ${fileBytes} bytes`)
    const delimiter = (flags & flag.delimiter) !== 0 ? String.fromCharCode(fields.count()) : undefined
    const blocks: Block[] = []
    const tiled = (flags & flag.tiled) !== 0
    const blockCount = fields.count()
    let at = start
    for (let n = 0; n < blockCount; n++) {
      block += fields.number()
      const crc = fields.count()
      const offset = tiled ? at : fields.count()
      const length = tiled && n === blockCount - 1 ? end - at : fields.count()
      if (block < 0 || length < 0) throw invalid(`a range of ${path} has an impossible block`)
      blocks.push({ id: blockId(block), offset, length, crc })
      at = offset + length
    }
    ranges.push({
      path, inode: inodeId(inode), fileBytes, start, end, aligned: (flags & flag.aligned) !== 0,
      ...(delimiter !== undefined && { delimiter }), blocks,
    })
  }
  fields.end()
  return { bytes, ranges }
}

class Fields {
  readonly #text: string
  #at = 0

  constructor(text: string) { this.#text = text }

  count(): number {
    const value = this.number()
    if (value < 0) throw invalid('a count is negative')
    return value
  }

  number(): number {
    const text = this.#text
    const negative = text.charCodeAt(this.#at) === minus
    let at = negative ? this.#at + 1 : this.#at
    const first = at
    let value = 0
    for (; ; at++) {
      const char = text.charCodeAt(at)
      if (char >= 48 && char <= 57) value = value * 36 + char - 48
      else if (char >= 97 && char <= 122) value = value * 36 + char - 87
      else break
    }
    if (at === first || text.charCodeAt(at) !== stop || !Number.isSafeInteger(value))
      throw invalid(`at character ${this.#at} there is no number`)
    this.#at = at + 1
    return negative ? -value : value
  }

  text(length: number): string {
    const end = this.#at + length
    if (end > this.#text.length) throw invalid('it ends in the middle of a path')
    const text = this.#text.slice(this.#at, end)
    this.#at = end
    return text
  }

  end(): void {
    if (this.#at !== this.#text.length) throw invalid('something follows its last range')
  }
}

const minus = 45
const stop = 46

const invalid = (why: string): GristmillError => new GristmillError('EINVAL', `a packed split cannot be read: ${why}`)
