// Small objects: published whole, and read whole with their attributes, many in one call. The namenode has the last word: it tells up to
// which length it inlines files, and an earlier version knows no such calls.
// INVARIANT: bytes that are returned match the checksum that their writer gave.

import type { Address, RequestId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { Clock } from '../ports/clock.ts'
import type { ReplyOf } from '../protocol/message.ts'
import { get, put, read, type SmallObject, type StoredStatus } from '../protocol/object.ts'
import type { Caller } from '../rpc/call.ts'
import { fromItemError } from '../rpc/fault.ts'
import { CallBatch } from './callbatch.ts'
import type { PublishOptions } from './open.ts'
import { contentOf, intact, isUnknownMessage, levelsOf, needsBlocks, type Outcome, type SmallFiles } from './small.ts'

/** Long enough for a restart of the namenode. */
const called = { peer: 'namenode', timeoutMs: 60_000, tryMs: 10_000 }
/** While the namenode writes one group of objects, the next one is made ready. */
const callsMax = 2

interface SmallObjectsDeps {
  readonly caller: Caller
  readonly clock: Clock
  readonly namenode: Address
  readonly requestId: () => RequestId
  readonly small: SmallFiles
}

interface Wanted { readonly path: string; readonly attributes: string[]; readonly content?: boolean }

/** `bytes` of an inlined object, if they were asked for and came undamaged; all others are read by their blocks. */
type ReadObject = ReplyOf<typeof get> & { readonly bytes?: Buffer | undefined }

export class SmallObjects {
  readonly #deps: SmallObjectsDeps
  /** False once the namenode has shown that it is of an earlier version. */
  #known = true
  readonly #puts: CallBatch<Omit<SmallObject, 'number'>, StoredStatus | undefined>
  readonly #reads: CallBatch<Wanted, ReadObject>

  constructor(deps: SmallObjectsDeps) {
    this.#deps = deps
    const { clock } = deps
    this.#puts = new CallBatch({
      clock, callsMax, countMax: limits.inlinePutFilesMax, sizeMax: limits.inlinePutBytesMax,
      send: (objects, signal) => this.#put(objects, signal),
    })
    this.#reads = new CallBatch({
      clock, callsMax, countMax: limits.contentsFilesMax, sizeMax: limits.contentsBytesMax,
      send: (objects, signal) => this.#read(objects, signal),
    })
  }

  /** Length up to which an object is published in one call, as far as is known; 0: none is. */
  get bytesMax(): number { return this.#known ? this.#deps.small.bytesMax : 0 }

  /** Publishes a whole object; durable and visible when it returns. undefined: nothing was written, and the object needs blocks. */
  async publish(bytes: Uint8Array, options: PublishOptions, signal?: AbortSignal): Promise<StoredStatus | undefined> {
    const { to, attributes = [] } = options
    if (bytes.length > this.bytesMax || this.bytesMax === 0 || needsBlocks(to)) return undefined
    const text = attributes.reduce((sum, { name, value }) => sum + name.length + value.length, to.length * 2)
    return this.#puts.add({ content: contentOf(bytes), ...options }, { size: bytes.length + text + spreadOf(to, limits.inlinePutBytesMax),
      signal })
  }

  /** Status and attributes of a path; `content`: also the bytes of an inlined file. Throws ENOENT, ENOTDIR, EACCES. */
  read(wanted: Wanted, signal?: AbortSignal): Promise<ReadObject> {
    return this.#reads.add(wanted, { size: wanted.path.length * 2 + spreadOf(wanted.path, limits.contentsBytesMax), signal })
  }

  async #put(objects: ReadonlyArray<Omit<SmallObject, 'number'>>, signal: AbortSignal): Promise<Outcome<StoredStatus | undefined>[]> {
    const { caller, namenode, requestId, small } = this.#deps
    try {
      const reply = await caller.call(
        namenode, put, { requestId: requestId(), objects: objects.map((object, number) => ({ ...object, number })) },
        { ...called, signal },
      )
      small.boundOf(reply.inlineBytes)
      return reply.objects.map(({ status, error }) => (error ? { error: fromItemError(error) } : { value: status }))
    } catch (error) {
      if (!isUnknownMessage(error)) throw error
      this.#known = false
      return objects.map(() => ({ value: undefined }))
    }
  }

  async #read(objects: readonly Wanted[], signal: AbortSignal): Promise<Outcome<ReadObject>[]> {
    const { caller, namenode } = this.#deps
    if (!this.#known) return this.#readEach(objects, signal)
    try {
      const reply = await caller.call(namenode, read, { objects: [...objects] }, { ...called, signal })
      return reply.objects.map(({ status, attributes = [], isKey, content, error }) => {
        if (error || !status) return { error: fromItemError(error!) }
        return { value: { status, attributes, ...isKey !== undefined && { isKey }, ...content && { bytes: intact(content, status) } } }
      })
    } catch (error) {
      if (!isUnknownMessage(error)) throw error
      this.#known = false
      return this.#readEach(objects, signal)
    }
  }

  #readEach(objects: readonly Wanted[], signal: AbortSignal): Promise<Outcome<ReadObject>[]> {
    const { caller, namenode } = this.#deps
    return Promise.all(objects.map(({ path, attributes }) => caller.call(namenode, get, { path, attributes }, { ...called, signal })
      .then(value => ({ value }), (error: unknown) => ({ error }))))
  }
}

/** Share of a call that the levels of a path take: each is looked up, and a call has a bound on them. */
const spreadOf = (path: string, bytesMax: number): number => levelsOf(path) * Math.ceil(bytesMax / limits.pageLevelsMax)
