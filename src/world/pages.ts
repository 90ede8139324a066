// Reads a store's file page by page, without mapping it and without believing it. LMDB has no checksums: a page that went bad
// gives wrong answers, or ends the process with a signal. So before a store is mapped, everything that LMDB would rely on is
// looked at here: the head pages, every page of every tree (number, kind, bounds, order of keys, separators, counts), the
// list of free pages (none of them in use), and each row, by whoever knows what rows look like.
// INVARIANT: a file that passes is one in which LMDB finds exactly the rows that were shown, each under its key.
// REQUIRES: nobody writes to the file meanwhile.

import fs from 'node:fs'
import path from 'node:path'
import { GristmillError } from '../base/errors.ts'
import type { RowCheck } from '../ports/store.ts'

const magic = 0xbeefc0de
const version = 2
const headBytes = 24
const nodeHeadBytes = 8
const recordBytes = 48
const depthMax = 32
const kind = { branch: 1, leaf: 2, overflow: 4, head: 8 } as const
const node = { big: 1, table: 2 } as const
/** Of the tree of free pages: its keys are numbers. */
const numberKeys = 8
const noPage = 2 ** 64
/** Pages between two turns of the event loop: a millisecond or two. */
const pagesMax = 400

interface Tree { readonly flags: number; readonly depth: number; readonly branches: number; readonly leaves: number; readonly overflows: number; readonly entries: number; readonly root: number }
interface Counts { branches: number; leaves: number; overflows: number; entries: number }
type Visit = (key: Buffer, value: Buffer, flags: number) => void
/** Keys of a page lie between these; `above` exclusive. */
interface Bounds { readonly from: Buffer | undefined; readonly above: Buffer | undefined }

/**
 * Looks at all of the store in `directory`, in the order of its keys, table after table. Throws CORRUPT with the first thing
 * that is wrong. A directory without a store has no rows.
 */
export async function inspectStore(directory: string, row?: RowCheck): Promise<void> {
  const file = path.join(directory, 'data.mdb')
  let fd: number
  try {
    fd = fs.openSync(file, 'r')
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
  /** One bit a page: in use, or free. */
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
    await this.#walk(main, 'the list of tables', (key, value, flags) => {
      if (flags !== node.table || value.length !== recordBytes) throw this.#wrong('the list of tables holds something else')
      tables.push({ name: key.toString('latin1'), tree: this.#tree(value, 0) })
    })
    for (const { name, tree } of tables) {
      if (tree.flags !== 0) throw this.#wrong(`the table "${name}" has the flags ${tree.flags}`)
      await this.#walk(tree, `the table "${name}"`, (key, value, flags) => {
        if (flags !== 0) throw this.#wrong(`the table "${name}" holds an entry with the flags ${flags}`)
        row?.(name, key, value)
      })
    }
    await this.#walk(free, 'the list of free pages', (_, value) => this.#free(value))
  }

  /** The newer of the two heads is what counts; both must be heads. */
  #heads(): { free: Tree; main: Tree } {
    const heads = [0, 1].map(i => {
      const page = Buffer.alloc(this.#pageBytes)
      if (this.#fill(page, i * this.#pageBytes) < headBytes + 24 + 2 * recordBytes + 16) throw this.#wrong('it ends before its heads do')
      if (page.readUInt16LE(18) !== kind.head || page.readUInt32LE(headBytes) !== magic || page.readUInt32LE(headBytes + 4) !== version) throw this.#wrong(`page ${i} is not the head that it should be`)
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
    // A file may end before its last page only if that one is free; no sane file is a thousand times shorter than its own count.
    if (last < 1 || last > this.#size / this.#pageBytes * 1024 + 65_536) throw this.#wrong(`its head counts ${last + 1} pages`)
    this.#pages = last + 1
    this.#txn = txn
    this.#seen = new Uint8Array(Math.ceil(this.#pages / 8))
    return { free, main }
  }

  #tree(bytes: Buffer, at: number): Tree {
    return {
      flags: bytes.readUInt16LE(at + 4), depth: bytes.readUInt16LE(at + 6), branches: number64(bytes, at + 8), leaves: number64(bytes, at + 16),
      overflows: number64(bytes, at + 24), entries: number64(bytes, at + 32), root: number64(bytes, at + 40),
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

  async #descend(walk: { tree: Tree; name: string; visit: Visit; counts: Counts }, number: number, level: number, bounds: Bounds): Promise<void> {
    const { tree, name, counts } = walk
    this.#use(number)
    if (++this.#read % pagesMax === 0) await new Promise<void>(resolve => { setImmediate(resolve) })
    const page = this.#buffers[level] ??= Buffer.alloc(this.#pageBytes)
    if (this.#fill(page, number * this.#pageBytes) < page.length) throw this.#wrong(`page ${number} lies behind its end`)
    const leaf = level === tree.depth
    const wanted = leaf ? kind.leaf : kind.branch
    if (number64(page, 0) !== number || page.readUInt16LE(18) !== wanted || page.readUInt16LE(16) !== 0) throw this.#wrong(`page ${number} of ${name} is not what it should be`)
    if (number64(page, 8) > this.#txn) throw this.#wrong(`page ${number} of ${name} is newer than the file`)
    const lower = page.readUInt16LE(20)
    const upper = page.readUInt16LE(22)
    const count = lower >> 1
    if ((lower & 1) !== 0 || lower > upper || headBytes + upper > page.length || count === 0 || (!leaf && count < 2)) throw this.#wrong(`page ${number} of ${name} has impossible bounds`)
    if (leaf) counts.leaves++
    else counts.branches++
    const numbers = tree.flags === numberKeys
    let before: Buffer | undefined
    for (let i = 0; i < count; i++) {
      const at = headBytes + page.readUInt16LE(headBytes + 2 * i)
      const keyAt = at + nodeHeadBytes
      if (at < headBytes + upper || keyAt > page.length) throw this.#wrong(`entry ${i} of page ${number} of ${name} lies outside of it`)
      const valueAt = keyAt + page.readUInt16LE(at + 6)
      const low = page.readUInt16LE(at) + page.readUInt16LE(at + 2) * 65_536
      const flags = page.readUInt16LE(at + 4)
      if (valueAt > page.length) throw this.#wrong(`the key of entry ${i} of page ${number} of ${name} is too long`)
      const key = page.subarray(keyAt, valueAt)
      // The first key of a branch page is empty where LMDB left it out: it stands for everything below the second.
      const implied = !leaf && i === 0
      if (!implied) {
        if (numbers && key.length !== 8) throw this.#wrong(`${name} has a key of ${key.length} bytes`)
        if (before && compare(before, key, numbers) >= 0) throw this.#wrong(`the keys of page ${number} of ${name} are not in order`)
        if (bounds.from && compare(key, bounds.from, numbers) < 0 || bounds.above && compare(key, bounds.above, numbers) >= 0) throw this.#wrong(`page ${number} of ${name} holds a key that belongs to another`)
        before = key
      }
      if (leaf) {
        counts.entries++
        this.#leafNode(walk, page, { key, valueAt, length: low, flags })
        continue
      }
      const child = low + flags * 2 ** 32
      const next = i + 1 < count ? this.#keyOf(page, i + 1) : undefined
      await this.#descend(walk, child, level + 1, { from: implied ? bounds.from : key, above: next ?? bounds.above })
    }
  }

  #leafNode({ name, visit, counts }: { name: string; visit: Visit; counts: Counts }, page: Buffer, { key, valueAt, length, flags }: { key: Buffer; valueAt: number; length: number; flags: number }): void {
    if ((flags & node.big) === 0) {
      if (valueAt + length > page.length) throw this.#wrong(`an entry of ${name} is longer than its page`)
      return visit(key, page.subarray(valueAt, valueAt + length), flags)
    }
    if (valueAt + 24 > page.length) throw this.#wrong(`an entry of ${name} is longer than its page`)
    const first = number64(page, valueAt)
    const pages = number64(page, valueAt + 16)
    if (pages !== Math.floor((headBytes - 1 + length) / this.#pageBytes) + 1) throw this.#wrong(`a long value of ${name} has ${pages} pages for ${length} bytes`)
    if (pages * this.#pageBytes > this.#size) throw this.#wrong(`a long value of ${name} is longer than the file`)
    for (let i = 0; i < pages; i++) this.#use(first + i)
    const bytes = Buffer.allocUnsafe(headBytes + length)
    if (this.#fill(bytes, first * this.#pageBytes) < bytes.length) throw this.#wrong(`page ${first} lies behind its end`)
    if (number64(bytes, 0) !== first || bytes.readUInt16LE(18) !== kind.overflow || bytes.readUInt32LE(20) !== pages) throw this.#wrong(`page ${first} of ${name} is not what it should be`)
    counts.overflows += pages
    visit(key, bytes.subarray(headBytes), flags & ~node.big)
  }

  /** REQUIRES: checked when its turn comes; here only that it lies in the page. */
  #keyOf(page: Buffer, i: number): Buffer {
    const at = headBytes + page.readUInt16LE(headBytes + 2 * i)
    const end = at + nodeHeadBytes <= page.length ? at + nodeHeadBytes + page.readUInt16LE(at + 6) : Infinity
    if (end > page.length) throw this.#wrong(`entry ${i} of a page lies outside of it`)
    // The walk below reads into other buffers, so this one stays as it is.
    return page.subarray(at + nodeHeadBytes, end)
  }

  /** A row of the list of free pages: how many numbers, and the numbers. A gap is 0; a negative one is the length of the run that begins at the next. */
  #free(value: Buffer): void {
    const count = value.length >= 8 ? number64(value, 0) : -1
    if (value.length % 8 !== 0 || count < 0 || count > value.length / 8 - 1) throw this.#wrong('a row of the list of free pages has an impossible length')
    for (let i = 1; i <= count; i++) {
      const entry = Number(value.readBigInt64LE(i * 8))
      if (entry === 0) continue
      const length = entry < 0 ? -entry : 1
      const first = entry > 0 ? entry : ++i <= count ? number64(value, i * 8) : noPage
      if (first + length > this.#pages) throw this.#wrong('the list of free pages names one that is not there')
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

/** Numbers that do not fit become huge: nothing here is that large. */
const number64 = (bytes: Buffer, at: number): number => bytes.readUInt32LE(at + 4) * 2 ** 32 + bytes.readUInt32LE(at)

function compare(a: Buffer, b: Buffer, numbers: boolean): number {
  return numbers ? number64(a, 0) - number64(b, 0) : a.compare(b)
}
