// Checks an LMDB file page by page, without mapping or trusting it. LMDB has no checksums: a damaged page gives wrong results, or
// ends the process with a signal. Before a store is mapped, this file checks everything that LMDB relies on: the head pages, every
// page of every tree (number, kind, bounds, order of keys, separators, counts), the list of free pages (none of them in use), and
// each row, with the caller's RowCheck.
// INVARIANT: in a file that passes, LMDB finds exactly the visited rows, each under its key.
// REQUIRES: no process writes to the file meanwhile.

import fs from 'node:fs'
import path from 'node:path'
import { GristmillError } from '../base/errors.ts'
import type { RowCheck } from '../ports/store.ts'
import { checked } from './disk.ts'

const magic = 0xbeefc0de
const version = 2
const headBytes = 24
const nodeHeadBytes = 8
const recordBytes = 48
const depthMax = 32
const kind = { branch: 1, leaf: 2, overflow: 4, head: 8 } as const
const node = { big: 1, table: 2 } as const
/** Flag of the tree of free pages: its keys are numbers. */
const numberKeys = 8
const noPage = 2 ** 64
/** Pages between two turns of the event loop: one or two milliseconds. */
const pagesMax = 400

interface Tree {
  readonly flags: number
  readonly depth: number
  readonly branches: number
  readonly leaves: number
  readonly overflows: number
  readonly entries: number
  readonly root: number
}
interface Counts { branches: number; leaves: number; overflows: number; entries: number }
type Visit = (bytes: Buffer, keyAt: number, valueAt: number, end: number, flags: number) => void
interface Walk { readonly tree: Tree; readonly name: string; readonly visit: Visit; readonly counts: Counts }
/** A key by its position in a buffer. */
interface Key { readonly bytes: Buffer; readonly at: number; readonly end: number }
/** Key range of a page; `above` exclusive. */
interface Bounds { readonly from: Key | undefined; readonly above: Key | undefined }

/**
 * Checks the whole store in `directory`, table after table, in key order. Throws CORRUPT with the first problem. A directory
 * without a store has no rows.
 */
export async function inspectStore(directory: string, row?: RowCheck): Promise<void> {
  const file = path.join(directory, 'data.mdb')
  let fd: number
  try {
    fd = checked(fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK), file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  try {
    const { size } = fs.fstatSync(fd)
    if (size > 0) await new Inspection(fd, file, size).run(row)
  } finally {
    fs.closeSync(fd)
  }
}

class Inspection {
  readonly #fd: number
  readonly #file: string
  readonly #size: number
  #pageBytes = 4096
  #pages = 0
  #txn = 0
  /** One bit per page: set if in use or free-listed. */
  #seen = new Uint8Array(0)
  readonly #buffers: Buffer[] = []
  #read = 0

  constructor(fd: number, file: string, size: number) {
    this.#fd = fd
    this.#file = file
    this.#size = size
  }

  async run(row?: RowCheck): Promise<void> {
    const { free, main } = this.#heads()
    this.#use(0)
    this.#use(1)
    const tables: Array<{ name: string; tree: Tree }> = []
    await this.#walk(main, 'the list of tables', (bytes, keyAt, valueAt, end, flags) => {
      if (flags !== node.table || end - valueAt !== recordBytes) throw this.#wrong('the list of tables holds something else')
      // The binding ends a table's name with a zero byte.
      tables.push({ name: bytes.toString('latin1', keyAt, valueAt).replace(/\0$/, ''), tree: this.#tree(bytes, valueAt) })
    })
    for (const { name, tree } of tables) {
      if (tree.flags !== 0) throw this.#wrong(`the table "${name}" has the flags ${tree.flags}`)
      await this.#walk(tree, `the table "${name}"`, (bytes, keyAt, valueAt, end, flags) => {
        if (flags !== 0) throw this.#wrong(`the table "${name}" holds an entry with the flags ${flags}`)
        row?.(name, bytes, keyAt, valueAt, end)
      })
    }
    await this.#walk(free, 'the list of free pages', (bytes, _, valueAt, end) => this.#free(bytes, valueAt, end))
  }

  /** Both heads must be valid; the newer one counts. */
  #heads(): { free: Tree; main: Tree } {
    const heads = [0, 1].map(i => {
      const page = Buffer.alloc(this.#pageBytes)
      if (this.#fill(page, i * this.#pageBytes) < headBytes + 24 + 2 * recordBytes + 16) throw this.#wrong('it ends before its heads do')
      if (page.readUInt16LE(18) !== kind.head || page.readUInt32LE(headBytes) !== magic || page.readUInt32LE(headBytes + 4) !== version)
        throw this.#wrong(`page ${i} is not the head that it should be`)
      const at = headBytes + 24
      const bytes = page.readUInt32LE(at)
      if (i === 0 && bytes !== this.#pageBytes) {
        if (bytes < 512 || bytes > 65_536 || (bytes & bytes - 1) !== 0) throw this.#wrong(`its pages cannot have ${bytes} bytes`)
        this.#pageBytes = bytes
      } else if (bytes !== this.#pageBytes) throw this.#wrong('its two heads do not agree')
      return {
        free: this.#tree(page, at), main: this.#tree(page, at + recordBytes),
        last: number64(page, at + 2 * recordBytes), txn: number64(page, at + 2 * recordBytes + 8),
      }
    })
    const [first, second] = heads as [(typeof heads)[0], (typeof heads)[0]]
    const { free, main, last, txn } = first.txn >= second.txn ? first : second
    if (free.flags !== numberKeys || main.flags !== 0) throw this.#wrong('its head names trees of another kind')
    // A file may end before its last page only if that page is free; no valid file is a thousand times shorter than its page count.
    if (last < 1 || last > this.#size / this.#pageBytes * 1024 + 65_536) throw this.#wrong(`its head counts ${last + 1} pages`)
    this.#pages = last + 1
    this.#txn = txn
    this.#seen = new Uint8Array(Math.ceil(this.#pages / 8))
    return { free, main }
  }

  #tree(bytes: Buffer, at: number): Tree {
    return {
      flags: bytes.readUInt16LE(at + 4), depth: bytes.readUInt16LE(at + 6), branches: number64(bytes, at + 8),
      leaves: number64(bytes, at + 16), overflows: number64(bytes, at + 24), entries: number64(bytes, at + 32),
      root: number64(bytes, at + 40),
    }
  }

  async #walk(tree: Tree, name: string, visit: Visit): Promise<void> {
    const counts: Counts = { branches: 0, leaves: 0, overflows: 0, entries: 0 }
    if (tree.root >= noPage) {
      if (tree.depth !== 0) throw this.#wrong(`${name} has no root and a depth of ${tree.depth}`)
    } else {
      if (tree.depth < 1 || tree.depth > depthMax) throw this.#wrong(`${name} cannot be ${tree.depth} pages deep`)
      await this.#descend({ tree, name, visit, counts }, tree.root, 1, { from: undefined, above: undefined })
    }
    for (const each of ['branches', 'leaves', 'overflows', 'entries'] as const) {
      if (counts[each] !== tree[each]) throw this.#wrong(`${name} should have ${tree[each]} ${each} and has ${counts[each]}`)
    }
  }

  async #descend(walk: Walk, number: number, level: number, bounds: Bounds): Promise<void> {
    const { tree, name, counts } = walk
    this.#use(number)
    if (++this.#read % pagesMax === 0) await new Promise<void>(resolve => { setImmediate(resolve) })
    const page = this.#buffers[level] ??= Buffer.alloc(this.#pageBytes)
    if (this.#fill(page, number * this.#pageBytes) < page.length) throw this.#wrong(`page ${number} is beyond its end`)
    const leaf = level === tree.depth
    if (number64(page, 0) !== number || page.readUInt16LE(18) !== (leaf ? kind.leaf : kind.branch) || page.readUInt16LE(16) !== 0)
      throw this.#wrong(`page ${number} of ${name} is not what it should be`)
    if (number64(page, 8) > this.#txn) throw this.#wrong(`page ${number} of ${name} is newer than the file`)
    const lower = page.readUInt16LE(20)
    const upper = page.readUInt16LE(22)
    const count = lower >> 1
    if ((lower & 1) !== 0 || lower > upper || headBytes + upper > page.length || count === 0 || (!leaf && count < 2))
      throw this.#wrong(`page ${number} of ${name} has impossible bounds`)
    if (leaf) {
      counts.leaves++
      counts.entries += count
    } else counts.branches++
    const numbers = tree.flags === numberKeys
    let beforeAt = 0
    let beforeEnd = -1
    for (let i = 0; i < count; i++) {
      const at = headBytes + (page[headBytes + 2 * i]! | page[headBytes + 2 * i + 1]! << 8)
      const keyAt = at + nodeHeadBytes
      if (at < headBytes + upper || keyAt > page.length) throw this.#wrong(`entry ${i} of page ${number} of ${name} is outside of it`)
      const keyEnd = keyAt + (page[at + 6]! | page[at + 7]! << 8)
      if (keyEnd > page.length) throw this.#wrong(`the key of entry ${i} of page ${number} of ${name} is too long`)
      const length = (page[at]! | page[at + 1]! << 8) + (page[at + 2]! | page[at + 3]! << 8) * 65_536
      const flags = page[at + 4]! | page[at + 5]! << 8
      // LMDB omits the first key of a branch page: it stands for everything below the second.
      const implied = !leaf && i === 0
      if (!implied) {
        if (numbers && keyEnd - keyAt !== 8) throw this.#wrong(`${name} has a key of ${keyEnd - keyAt} bytes`)
        if (beforeEnd >= 0 && compare(page, beforeAt, beforeEnd, page, keyAt, keyEnd, numbers) >= 0)
          throw this.#wrong(`the keys of page ${number} of ${name} are not in order`)
        // Keys in between are bounded by the order within the page.
        if ((i < 2 || i === count - 1) && !within(page, keyAt, keyEnd, bounds, numbers))
          throw this.#wrong(`page ${number} of ${name} holds a key that belongs to another`)
        beforeAt = keyAt
        beforeEnd = keyEnd
      }
      if (!leaf) {
        const from = implied ? bounds.from : { bytes: page, at: keyAt, end: keyEnd }
        await this.#descend(walk, length + flags * 2 ** 32, level + 1, {
          from,
          above: i + 1 < count ? this.#keyOf(page, i + 1) : bounds.above,
        })
      } else if ((flags & node.big) !== 0) this.#long(walk, page, keyAt, keyEnd, length, flags)
      else if (keyEnd + length > page.length) throw this.#wrong(`entry ${i} of page ${number} of ${name} is too long`)
      else walk.visit(page, keyAt, keyEnd, keyEnd + length, flags)
    }
  }

  /** A value stored in overflow pages. */
  #long({ name, visit, counts }: Walk, page: Buffer, keyAt: number, keyEnd: number, length: number, flags: number): void {
    if (keyEnd + 24 > page.length) throw this.#wrong(`an entry of ${name} is longer than its page`)
    const first = number64(page, keyEnd)
    const pages = number64(page, keyEnd + 16)
    if (pages !== Math.floor((headBytes - 1 + length) / this.#pageBytes) + 1)
      throw this.#wrong(`a long value of ${name} has ${pages} pages for ${length} bytes`)
    if (pages * this.#pageBytes > this.#size) throw this.#wrong(`a long value of ${name} is longer than the file`)
    for (let i = 0; i < pages; i++) this.#use(first + i)
    const head = Buffer.alloc(headBytes)
    const keyBytes = keyEnd - keyAt
    const row = Buffer.allocUnsafe(keyBytes + length)
    page.copy(row, 0, keyAt, keyEnd)
    const start = first * this.#pageBytes
    if (this.#fill(head, start) < headBytes || this.#fill(row.subarray(keyBytes), start + headBytes) < length)
      throw this.#wrong(`page ${first} is beyond its end`)
    if (number64(head, 0) !== first || head.readUInt16LE(18) !== kind.overflow || head.readUInt32LE(20) !== pages)
      throw this.#wrong(`page ${first} of ${name} is not what it should be`)
    counts.overflows += pages
    visit(row, 0, keyBytes, row.length, flags & ~node.big)
  }

  /** Only checks that the key is inside the page; its value is checked later. The descent reads into other buffers. */
  #keyOf(page: Buffer, i: number): Key {
    const at = headBytes + page.readUInt16LE(headBytes + 2 * i) + nodeHeadBytes
    const end = at <= page.length ? at + page.readUInt16LE(at - 2) : Infinity
    if (end > page.length) throw this.#wrong(`entry ${i} of a page is outside of it`)
    return { bytes: page, at, end }
  }

  /**
   * A row of the list of free pages: a count, then page numbers. 0 is a gap; a negative number is the length of the run that
   * starts at the next one.
   */
  #free(bytes: Buffer, at: number, end: number): void {
    const places = (end - at) / 8 - 1
    const count = places >= 0 ? number64(bytes, at) : Infinity
    if (!Number.isInteger(places) || count > places) throw this.#wrong('a row of the list of free pages has an impossible length')
    for (let i = 1; i <= count; i++) {
      const entry = Number(bytes.readBigInt64LE(at + i * 8))
      if (entry === 0) continue
      const length = entry < 0 ? -entry : 1
      const first = entry > 0 ? entry : ++i <= count ? number64(bytes, at + i * 8) : noPage
      if (first + length > this.#pages) throw this.#wrong('the list of free pages names one that does not exist')
      for (let page = first; page < first + length; page++) this.#use(page)
    }
  }

  #use(page: number): void {
    if (page >= this.#pages) throw this.#wrong(`it refers to page ${page} of ${this.#pages}`)
    const bit = 1 << (page & 7)
    if ((this.#seen[page >> 3]! & bit) !== 0) throw this.#wrong(`page ${page} is used twice`)
    this.#seen[page >> 3]! |= bit
  }

  #fill(target: Buffer, position: number): number {
    let filled = 0
    while (filled < target.length) {
      const bytes = fs.readSync(this.#fd, target, filled, target.length - filled, position + filled)
      if (bytes === 0) break
      filled += bytes
    }
    return filled
  }

  #wrong(what: string): GristmillError {
    return new GristmillError('CORRUPT', `the file ${this.#file} is damaged: ${what}`, { details: { file: this.#file } })
  }
}

/** Numbers beyond 2^53 lose precision but stay huge: valid ones are never that large. */
const number64 = (bytes: Buffer, at: number): number => bytes.readUInt32LE(at + 4) * 2 ** 32 + bytes.readUInt32LE(at)

/** Byte by byte: most keys differ early, and a native call costs as much as a hundred bytes. */
function compare(a: Buffer, aAt: number, aEnd: number, b: Buffer, bAt: number, bEnd: number, numbers: boolean): number {
  if (numbers) return number64(a, aAt) - number64(b, bAt)
  for (const end = Math.min(aEnd, aAt + bEnd - bAt); aAt < end; aAt++, bAt++) {
    const difference = a[aAt]! - b[bAt]!
    if (difference !== 0) return difference
  }
  return aEnd - aAt - (bEnd - bAt)
}

function within(page: Buffer, at: number, end: number, { from, above }: Bounds, numbers: boolean): boolean {
  return (
    !(from && compare(page, at, end, from.bytes, from.at, from.end, numbers) < 0)
    && !(above && compare(page, at, end, above.bytes, above.at, above.end, numbers) >= 0)
  )
}
