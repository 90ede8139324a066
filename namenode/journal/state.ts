// State as the journal writes it: counters, tables, and one draft that all operations reuse. Readers see the counters of the
// last commit; a group at work sees its own.

import { assert } from '../../src/base/assert.ts'
import type { RequestId } from '../../src/base/ids.ts'
import { GristmillError } from '../../src/base/errors.ts'
import type { Store, Table } from '../../src/ports/store.ts'
import { seal, unseal } from './codec.ts'
import { copyCounters, countersKey, decodeCounters, emptyCounters, encodeCounters, type StateCounters } from './counters.ts'
import { Draft } from './draft.ts'
import type { Frame } from './journalframe.ts'
import type { StateSnapshot } from './journal.ts'
import { tables, type TableName } from './keys.ts'
import type { AnyMutation, MutationRegistry } from './operation.ts'
import { keepAnswer, keptAnswer, type Kept } from './requests.ts'
import { Memo, StoreView, type OnDamage } from './view.ts'

export class JournalState {
  /** Committed state, for readers. */
  readonly view: StoreView
  /** Counters of the group at work. */
  readonly counters: StateCounters = emptyCounters()
  readonly #store: Store
  readonly #registry: MutationRegistry
  readonly #tables: Record<TableName, Table>
  readonly #draft: Draft
  readonly #inner: StoreView
  readonly #onDamage: OnDamage

  constructor(store: Store, counters: StateCounters, registry: MutationRegistry, onDamage: OnDamage) {
    this.#store = store
    this.#onDamage = onDamage
    this.#registry = registry
    this.#tables = Object.fromEntries(tables.map(name => [name, store.table(name)])) as Record<TableName, Table>
    const memo = new Memo()
    this.view = new StoreView(store, counters, memo, onDamage)
    copyCounters(counters, this.counters)
    this.#inner = new StoreView(store, this.counters, memo, onDamage)
    this.#draft = new Draft(this.#inner)
  }

  /** The committed state of this moment. A read of it that finds damage has the same effect as one of `view`. */
  snapshot(): StateSnapshot {
    const store = this.#store.snapshot()
    const sealed = store.table('meta').get(countersKey)
    const counters = sealed ? decodeCounters(unseal('meta', countersKey, sealed)) : emptyCounters()
    return { view: new StoreView(store, counters, new Memo(), this.#onDamage), close: () => store.close() }
  }

  /** Starts a group; returns the number of its first operation. */
  begin(): number {
    copyCounters(this.view.counters, this.counters)
    return this.counters.appliedSeq + 1
  }

  keptAnswer(id: RequestId): Kept | undefined { return keptAnswer(this.#inner, id) }

  /** Checks one operation and collects its edits; if it throws, they are discarded. REQUIRES: an open transaction. */
  decide(mutation: AnyMutation, operation: object, timeMs: number): unknown {
    const draft = this.#draft
    draft.reset()
    try {
      const result = mutation.mutate(draft, operation as never)
      const { requestId } = operation as { requestId?: RequestId }
      if (requestId) keepAnswer(draft, requestId, timeMs, mutation.keep ? mutation.keep(result as never) : result)
      return result
    } catch (error) {
      // The memo may hold directories that only the discarded edits would have made.
      if (draft.edits.length > 0) draft.memo.clear()
      throw error
    }
  }

  /** Writes the edits of the last `decide`. If it throws, the transaction must be aborted. */
  write(): void {
    const draft = this.#draft
    for (const { table, key, value } of draft.edits) {
      if (value === undefined) this.#tables[table].remove(key)
      else this.#tables[table].put(key, seal(key, value))
    }
    if (draft.moved) draft.memo.clear()
    copyCounters(draft.counters, this.counters)
    this.counters.appliedSeq++
  }

  /** Ends the group: writes its counters into the transaction. */
  finish(): void {
    if (this.counters.appliedSeq === this.view.counters.appliedSeq) return
    this.#tables.meta.put(countersKey, seal(countersKey, encodeCounters(this.counters)))
  }

  /** Ends all reads; later reads throw `why`. */
  end(why: GristmillError): void {
    this.view.end(why)
    this.#inner.end(why)
  }

  committed(): void { copyCounters(this.counters, this.view.counters) }

  rollback(): void {
    copyCounters(this.view.counters, this.counters)
    this.view.memo.clear()
  }

  /** Applies a frame of the log. Its operations were accepted when it was written, so a refusal now is CORRUPT. */
  replay(frame: Frame): void {
    this.#store.transact(() => {
      const first = this.begin()
      assert(frame.seq === first, `operation ${frame.seq} follows on ${first - 1}`)
      frame.operations.forEach(([kind, operation], i) => {
        const mutation = this.#registry.get(kind)
        if (!mutation)
          throw new GristmillError(
            'CORRUPT',
            `the journal holds an operation "${kind}" (number ${first + i}) that this version does not know; start the version that wrote it, or a newer one`,
          )
        try {
          this.decide(mutation, operation, frame.timeMs)
        } catch (error) {
          throw new GristmillError(
            'CORRUPT',
            `operation ${first + i} of the journal ("${kind}") was accepted when it was written and is refused now; the store is not the one that the journal belongs to`,
            { cause: error },
          )
        }
        this.write()
      })
      this.finish()
    })
    this.committed()
  }
}
