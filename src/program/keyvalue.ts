// Key-value tables: sorted immutable files that `saveKeyValue` writes and `gristmill serve-kv` serves. Part of every bundle, as dataset.ts
// is. The bytes are described in docs/format/kvtable.md: blocks of entries in the order of their keys, an index of the blocks, a footer.

import { crc32 } from 'node:zlib'
import { checkPartitions, showGiven, type ShuffleOptions } from './arguments.ts'
import { at, type Action, type Recipe } from './recipe.ts'
import { sorted } from './wide.ts'
import { wrongValue } from './wrongvalue.ts'

export interface KeyValueOptions extends ShuffleOptions {
  /** Replicas of the files; default: the cluster's. */
  readonly replication?: number | undefined
}

/** Key as its UTF-8 bytes; numbers are written in decimal digits. */
export type StoredKey = string | number

export const tableMagic = 'gristmill kv'
export const tableVersion = 1
export const footerBytes = 48
/** Kinds of values. */
export const valueKinds = { json: 1, bytes: 2 } as const

/** One read of the disk, and some 40 entries of 100 bytes to look through. */
const blockBytes = 4096
export const keyBytesMax = 1024
const valueBytesMax = 16 * 1024 * 1024

/** Values of pairs as files of a table, in the order of their keys. */
export function keyValueSaving(node: Recipe, path: string, options: KeyValueOptions): Action {
  if (typeof path !== 'string' || path === '')
    throw new TypeError(`saveKeyValue was given the path ${showGiven(path)}; give a directory of the cluster`)
  const { partitions, replication, ...unknown } = options
  for (const name of Object.keys(unknown)) throw new TypeError(`saveKeyValue does not know the option ${name}; it knows partitions, replication`)
  if (partitions !== undefined) checkPartitions('saveKeyValue', partitions)
  const place = { at: at('saveKeyValue') }
  const entries: Recipe = { kind: 'each', inputs: [node], op: 'map', fn: entryOf, ...place }
  const ordered = sorted<Entry>(entries, [keyOfEntry, 'asc', { partitions }])
  const pieces: Recipe = { kind: 'partition', inputs: [ordered], fn: tableOf, ...place }
  const output = { format: 'text', raw: true, ...replication !== undefined && { replication } }
  return { method: 'saveKeyValue', root: { kind: 'write', inputs: [pieces], path, output } }
}

type Entry = readonly [key: string, value: string | Uint8Array]

const keyOfEntry = ([key]: Entry): string => key

function entryOf(pair: unknown): Entry {
  if (!Array.isArray(pair) || pair.length !== 2)
    throw wrongValue(`saveKeyValue was given ${showGiven(pair)}; its values are pairs [key, value], as those of keyBy and reduceByKey`)
  const [key, value] = pair as [unknown, unknown]
  if (typeof key !== 'string' && !(typeof key === 'number' && Number.isFinite(key)))
    throw wrongValue(`saveKeyValue was given the key ${showGiven(key)}; a key is a text or a number`)
  const text = String(key)
  if (!text.isWellFormed() || Buffer.byteLength(text) > keyBytesMax)
    throw wrongValue(`saveKeyValue was given a key that is not well-formed text of at most ${keyBytesMax} bytes: ${showGiven(text.slice(0, 40))}`)
  return [text, value instanceof Uint8Array ? value : jsonOf(text, value)]
}

/** JSON drops or bends some values without a word: these are refused. */
function jsonOf(key: string, value: unknown): string {
  const refuse = (what: string): never => {
    throw wrongValue(`the value of the key ${JSON.stringify(key)} has ${what} in it, which JSON cannot hold; convert it, or save bytes`)
  }
  const text = JSON.stringify(value, function (this: unknown, _name, each: unknown) {
    if (each === undefined && Array.isArray(this)) refuse('undefined')
    if (typeof each === 'number' && !Number.isFinite(each)) refuse(String(each))
    if (typeof each === 'bigint') refuse('a bigint')
    if (each instanceof Map || each instanceof Set || ArrayBuffer.isView(each)) refuse('a Map, a Set or bytes')
    return each
  }) as string | undefined
  return text ?? refuse('undefined or a function')
}

/** The bytes of a table. Throws for a key that occurs twice. */
async function* tableOf(entries: AsyncIterable<unknown>): AsyncGenerator<Buffer> {
  const writer = new TableWriter()
  for await (const [key, value] of entries as AsyncIterable<Entry>) {
    const block = typeof value === 'string' ? writer.add(key, Buffer.from(value), 'json') : writer.add(key, value, 'bytes')
    if (block) yield block
  }
  if (writer.records > 0) yield* writer.end()
}

/** Writes one table. REQUIRES: keys come in the order of their bytes. */
export class TableWriter {
  readonly #index: Buffer[] = []
  #entries: Buffer[] = []
  #bytes = 0
  #blockRecords = 0
  #firstKey: Buffer = Buffer.alloc(0)
  #lastKey: Buffer | undefined
  /** Bytes of the blocks so far. */
  #offset = 0
  records = 0

  /** A block that is full, behind the entries before. */
  add(text: string, value: Uint8Array, kind: keyof typeof valueKinds): Buffer | undefined {
    const key = Buffer.from(text)
    if (value.length > valueBytesMax)
      throw new RangeError(`the value of the key ${JSON.stringify(text)} has ${value.length} bytes; it may have ${valueBytesMax}`)
    const order = this.#lastKey === undefined ? 1 : Buffer.compare(key, this.#lastKey)
    if (order === 0)
      throw new RangeError(`the key ${JSON.stringify(text)} has two values; keep one of them, for instance with reduceByKey`)
    if (order < 0) throw new Error(`the key ${JSON.stringify(text)} comes behind a larger one`)
    const head = Buffer.concat([varint(key.length), key, Buffer.from([valueKinds[kind]]), varint(value.length)])
    const isFull = this.#bytes > 0 && this.#bytes + head.length + value.length > blockBytes
    const full = isFull ? this.#take() : undefined
    if (this.#bytes === 0) this.#firstKey = key
    this.#entries.push(head, Buffer.from(value))
    this.#bytes += head.length + value.length
    this.#blockRecords++
    this.#lastKey = key
    this.records++
    return full
  }

  /** Last block, index and footer. */
  * end(): Generator<Buffer> {
    if (this.#bytes > 0) yield this.#take()
    const index = Buffer.concat(this.#index)
    yield index
    const footer = Buffer.alloc(footerBytes)
    footer.write(tableMagic, 0, 'latin1')
    footer.writeUInt32LE(tableVersion, 12)
    footer.writeBigUInt64LE(BigInt(this.records), 16)
    footer.writeBigUInt64LE(BigInt(this.#offset), 24)
    footer.writeUInt32LE(index.length, 32)
    footer.writeUInt32LE(crc32(index), 36)
    footer.writeUInt32LE(this.#index.length, 40)
    footer.writeUInt32LE(crc32(footer.subarray(0, 44)), 44)
    yield footer
  }

  #take(): Buffer {
    const block = Buffer.concat(this.#entries)
    const crc = Buffer.alloc(4)
    crc.writeUInt32LE(crc32(block))
    this.#index.push(Buffer.concat([varint(this.#firstKey.length), this.#firstKey, varint(block.length), varint(this.#blockRecords), crc]))
    this.#offset += block.length
    this.#entries = []
    this.#bytes = this.#blockRecords = 0
    return block
  }
}

/** Seven bits a byte, lowest first. */
function varint(value: number): Buffer {
  const bytes: number[] = []
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest])
    bytes.push(rest % 128 | 128)
  }
}
