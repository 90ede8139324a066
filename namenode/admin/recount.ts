// Recount: counts the whole state and compares it with what the namenode keeps by hand: its counters, the length and number of blocks in
// each entry, also of those that only snapshots see, and the usage of quotas. Counters decide more than what is shown (safe mode waits for
// `blocks`, history is kept while `snapshots` is not 0), so a wrong one is a finding. Pure; it yields between slices. REQUIRES: a view of
// one state (a snapshot).

import { inodeId, type InodeId } from '../../src/base/ids.ts'
import { join, nameOf, systemDirectory } from '../../src/base/paths.ts'
import type { RecountDifference, RecountResult } from '../../src/protocol/safety.ts'
import { decodeValue, Unpacker } from '../journal/codec.ts'
import type { CounterName } from '../journal/counters.ts'
import { idKey, nameOfKey, readId, type TableName } from '../journal/keys.ts'
import type { Row, View } from '../journal/view.ts'
import { decodeContent } from '../namespace/content.ts'
import { decodeEntry, isInlined, type NameEntry } from '../namespace/entry.ts'
import { blocksIn, blocksOf } from '../namespace/file.ts'
import { decodeVersion, nameOfHistory } from '../snapshots/history.ts'
import { hookOf, pathOf, rootId } from '../namespace/resolve.ts'
import { ownerOfKey } from '../users/tokenrows.ts'
import type { VersionRecord } from '../versions/rows.ts'
import { amountsOf, type Amounts, type Usage } from '../quotas/usage.ts'

/** Differences that are listed. */
const listedMax = 100
/** Rows, and chunks of blocks, between two yields: about a millisecond. */
const sliceRows = 500
/** Directories whose quotas are remembered. */
const boundsMax = 10_000

/** Counters that are the number of rows of a table. */
const counted: readonly (readonly [CounterName, TableName])[] = [
  ['blocks', 'blocks'], ['leases', 'leases'], ['doomed', 'doomed'], ['snapshots', 'snapshots'], ['history', 'history'],
  ['marks', 'marks'], ['quotas', 'quotas'], ['attributes', 'attributes'], ['contents', 'contents'],
  ['versions', 'versions'], ['expiries', 'expiries'],
]

/** Yields the number of rows read so far. */
export function* recount(view: View): Generator<number, RecountResult, undefined> {
  const one = new Recount(view)
  const tables: readonly [TableName, (row: Row) => void][] = [
    ['quotas', row => one.quota(row)],
    ['held', row => one.held(row)],
    ['history', row => one.version(row)],
    ['doomed', row => one.removed(row)],
    ['children', row => one.name(row)],
    ['directories', () => {}], ['files', row => one.chunk(row)], ['blocks', ({ key }) => one.block(readId(key))],
    ['leases', () => {}], ['snapshots', () => {}], ['marks', () => {}], ['attributes', () => {}], ['contents', row => one.content(row)],
    ['versions', row => one.versionRecord(row)], ['expiries', () => {}], ['tokens', row => one.token(row)],
  ]
  let due = sliceRows
  for (const [table, look] of tables) {
    for (const row of view.range(table, {})) {
      one.rows.set(table, (one.rows.get(table) ?? 0) + 1)
      one.steps++
      look(row)
      if (one.steps < due) continue
      yield one.steps
      due = one.steps + sliceRows
    }
  }
  return one.result()
}

class Recount {
  readonly #view: View
  /** Rows read of each table. */
  readonly rows = new Map<TableName, number>()
  /** Rows and chunks read. */
  steps = 0
  #files = 0
  #directories = 0
  /** Directories that have a name; the root is one. */
  #named = 0
  #chunkBlocks = 0
  #contentBytes = 0
  /** Files whose bytes must be in the table of contents. */
  #inlined = 0
  #inodeMax = 0
  #blockMax = 0
  #tokenMax = 0
  /** Removed directories: the parts of a joined upload have entries there until the sweep, and no blocks any more. */
  readonly #doomed = new Set<number>()
  /** Numbers of versions that may be freed. */
  #expiring = 0
  /** Inodes without a name that only history names, until a row of history has told what they are. */
  readonly #orphans = new Set<number>()
  readonly #usages = new Map<number, { readonly usage: Usage; names: number; bytes: number }>()
  readonly #bounds = new Map<number, readonly number[]>()
  readonly #differences: RecountDifference[] = []
  #more = 0

  constructor(view: View) { this.#view = view }

  quota({ key, value }: Row): void {
    this.#usages.set(readId(key), { usage: decodeValue<Usage>(value), names: 0, bytes: 0 })
  }

  held({ key, value }: Row): void {
    const unpacker = new Unpacker(value)
    unpacker.u8()
    if (unpacker.u8() === 1) this.#orphans.add(readId(key))
  }

  version({ key, value }: Row): void {
    const { entry } = decodeVersion(value)
    if (!entry.directory) this.#old(readId(key), nameOfHistory(key), entry)
    if (!this.#orphans.delete(entry.id)) return
    this.inode(entry.directory)
    if (isInlined(entry)) this.#inlined++
  }

  versionRecord({ value }: Row): void {
    const { numbers } = decodeValue<VersionRecord>(value)
    this.#expiring += numbers.filter(({ replacedMs, tag }) => replacedMs !== undefined && tag === undefined).length
  }

  /** An inode that the sweep will remove: whether it was an inlined file, only its bytes tell. */
  removed({ key, value }: Row): void {
    this.inode(value[0] === 1)
    if (value[0] === 1) this.#doomed.add(readId(key))
    if (value[0] === 0 && this.#view.get('contents', key)) this.#inlined++
  }

  inode(directory: boolean): void {
    if (directory) this.#directories++
    else this.#files++
  }

  name({ key, value }: Row): void {
    const parent = readId(key)
    const name = nameOfKey(key)
    const entry = decodeEntry(value)
    this.inode(entry.directory)
    if (entry.directory) this.#named++
    else if (!this.#doomed.has(parent)) this.#file(parent, name, entry)
    if (isInlined(entry)) this.#inlined++
    this.#inodeMax = Math.max(this.#inodeMax, entry.id)
    if (parent > 0 && !isSystem(parent, name)) for (const bound of this.#boundsOf(parent)) add(this.#usages.get(bound)!, amountsOf(entry))
  }

  #file(parent: number, name: string, { id, blocks, length }: NameEntry): void {
    if (blocks === 0 && length === 0) return
    const found = this.#stored(id, blocks)
    this.#compare('blocks of a file', blocks, found.blocks, () => this.#pathOf(parent, name))
    this.#compare('bytes of a file', length, found.bytes, () => this.#pathOf(parent, name))
  }

  /** A file as a snapshot sees it: it may have been appended to since, and has lost nothing. */
  #old(parent: number, name: string, { id, blocks, length }: NameEntry): void {
    if (blocks === 0 && length === 0) return
    const found = this.#stored(id, blocks)
    this.#compare('blocks of a file in a snapshot', blocks, Math.min(blocks, found.blocks), () => this.#pathOf(parent, name))
    this.#compare('bytes of a file in a snapshot', length, Math.min(length, found.bytes), () => this.#pathOf(parent, name))
  }

  #stored(id: InodeId, blocks: number): { readonly blocks: number; readonly bytes: number } {
    // Whatever the counter of these rows says.
    const inlined = blocks === 0 ? this.#view.get('contents', idKey(id)) : undefined
    let count = 0
    let bytes = inlined ? decodeContent(inlined).bytes.length : 0
    for (const chunk of blocksOf(this.#view, id)) {
      this.steps++
      count += chunk.length
      for (const block of chunk) bytes += block.length
    }
    return { blocks: count, bytes }
  }

  chunk({ value }: Row): void { this.#chunkBlocks += blocksIn(value) }

  content({ value }: Row): void { this.#contentBytes += decodeContent(value).bytes.length }

  block(id: number): void { this.#blockMax = Math.max(this.#blockMax, id) }

  token({ key }: Row): void { this.#tokenMax = Math.max(this.#tokenMax, ownerOfKey(key).number) }

  result(): RecountResult {
    const { counters } = this.#view
    const rowsOf = (table: TableName): number => this.rows.get(table) ?? 0
    this.#compare('files', counters.files, this.#files)
    this.#compare('directories', counters.directories, this.#directories)
    for (const [counter, table] of counted) this.#compare(counter, counters[counter], rowsOf(table))
    this.#compare('blocks of all files', rowsOf('blocks'), this.#chunkBlocks)
    this.#compare('contents of all files', rowsOf('contents'), this.#inlined)
    this.#compare('contentBytes', counters.contentBytes, this.#contentBytes)
    this.#compare('places of directories', rowsOf('directories'), Math.max(0, this.#named - 1))
    this.#compare('removed entries that history holds, unknown to it', 0, this.#orphans.size)
    this.#compare('versions that may be freed', rowsOf('expiries'), this.#expiring)
    // Ids that are in use must be below the next one; a gap is allowed.
    this.#compare('next inode', counters.nextInode, Math.max(counters.nextInode, this.#inodeMax + 1))
    this.#compare('next block', counters.nextBlock, Math.max(counters.nextBlock, this.#blockMax + 1))
    this.#compare('last token', counters.tokens, Math.max(counters.tokens, this.#tokenMax))
    for (const [directory, { usage: { used, known, counting }, names, bytes }] of this.#usages) {
      // A count that is under way may be too high, and a removed directory is no longer charged.
      const path = known && !counting ? pathOf(this.#view, inodeId(directory)) : undefined
      if (path === undefined) continue
      this.#compare('names under a quota', used.names, names, () => path)
      this.#compare('bytes under a quota', used.bytes, bytes, () => path)
    }
    return {
      seq: counters.appliedSeq, differences: this.#differences, more: this.#more, files: this.#files, directories: this.#directories,
    }
  }

  #compare(what: string, kept: number, found: number, pathOfIt?: () => string | undefined): void {
    if (kept === found) return
    if (this.#differences.length >= listedMax) {
      this.#more++
      return
    }
    const path = pathOfIt?.()
    this.#differences.push({ what, kept, found, ...path !== undefined && { path } })
  }

  /** Path of a name; undefined within a removed directory. */
  #pathOf(parent: number, name: string): string | undefined {
    const above = pathOf(this.#view, inodeId(parent))
    return above && join(above, name)
  }

  /** Directories with a quota at or above this one, found by their places; those of one parent are adjacent, so few are looked for. */
  #boundsOf(directory: number): readonly number[] {
    if (this.#usages.size === 0) return none
    const known = this.#bounds.get(directory)
    if (known) return known
    const found: number[] = []
    for (let at = directory; ;) {
      if (this.#usages.has(at)) found.push(at)
      const hook = hookOf(this.#view, inodeId(at))
      if (!hook || isSystem(hook.parent, hook.name)) break
      at = hook.parent
    }
    if (this.#bounds.size >= boundsMax) this.#bounds.clear()
    this.#bounds.set(directory, found)
    return found
  }
}

const none: readonly number[] = []

/** Quotas of the root do not include the system directory. */
const isSystem = (parent: number, name: string): boolean => parent === rootId && name === nameOf(systemDirectory)

function add(to: { names: number; bytes: number }, { names, bytes }: Amounts): void {
  to.names += names
  to.bytes += bytes
}
