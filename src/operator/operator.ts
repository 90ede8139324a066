// Contract of operators and sinks: how records flow through a task.
//
//   source ──batches or groups──▶ operator ──rows──▶ step ──rows──▶ … ──emit──▶ sink
//
// - The task connects the parts (build.ts) and drives them: it takes an item from the source, pushes it into the operator, and then lets
//   the sink settle. One push at a time. The task also cleans up: it closes the source, and finishes or discards the sink.
// - `push` calls the user's function, which calls `emit` any number of times before it returns. This path is synchronous: no promise
//   per record. `push` returns a promise only if the user's function returned one, or asynchronous pairs.
// - A step takes one row and passes on any number. If it returns a promise, the next row waits for it. After the last row `finish` is
//   called once; a step that holds rows passes them on then, and ends the step after it.
// - `emit` never waits. A sink that cannot store a record at once keeps it in memory up to a bound, and on the disk beyond it.
// - Order is kept: a sink gets records in the order of the source.
// - An error of the user's function leaves `push` as FunctionFailed, with the place of the record or the key of the group. A disk error of
//   a sink leaves the task as SinkFailed, even if the user's function has caught it: the sink remembers it until `settle`.

import type { TextOrigins } from '../base/origin.ts'
import type { Emit, Key } from '../base/pair.ts'

export interface Operator<In> {
  push(item: In): void | Promise<void>
  /** The steps need no further items: the source is closed. */
  readonly isFull?: boolean
}

/** Thrown by a step that needs no further rows, through the steps before it, to the operator. No failure. */
export class Enough extends Error {
  override name = 'Enough'
}

/** Takes one row. Returns a promise if the next row must wait. */
export type Push<Row> = (row: Row) => Promise<void> | undefined

export interface Step<Row> {
  readonly push: Push<Row>
  /** No rows follow. REQUIRES: called once, when all pushes have settled. */
  finish(): Promise<void> | undefined
}

export interface Sink<Result> {
  /** Set by the reader of the texts that the program gets, if the sink can make use of their bytes. */
  readonly origins?: TextOrigins | undefined
  /** May be passed to the user's function: it needs no `this`. */
  readonly emit: Emit<Key, unknown>
  /** Number of records emitted. */
  readonly records: number
  /** `settle` has something to write or to report. */
  readonly isUnsettled: boolean
  /** Writes buffered records if there are enough; undefined if there is nothing to wait for. Throws SinkFailed. */
  settle(): Promise<void> | undefined
  /** Called once, after the last `emit`. After a failure the caller must call `discard`. */
  finish(): Promise<Result>
  /** Removes all output. */
  discard(): Promise<void>
}

interface RecordPlace { readonly path: string; readonly offset: number }

/** The user's function threw `cause`. */
export class FunctionFailed extends Error {
  override name = 'FunctionFailed'
  /** Place of the record, if one was being mapped. */
  readonly place: RecordPlace | undefined
  /** Key of the group as readable text, if one was being reduced, and the name of the function that took it. */
  readonly key: string | undefined
  readonly step: string | undefined

  constructor(
    cause: unknown,
    { place, key, step }: { place?: RecordPlace | undefined; key?: string | undefined; step?: string | undefined },
  ) {
    super('a function of the program failed', { cause })
    this.place = place
    this.key = key
    this.step = step
  }
}

/** This machine's disk could not store emitted records. */
export class SinkFailed extends Error {
  override name = 'SinkFailed'
}

/** True for an error of the operating system from the disk port, as opposed to errors of user functions and of validation. */
export function isDiskError(error: unknown): boolean {
  return (
    error instanceof Error
    && typeof (error as NodeJS.ErrnoException).errno === 'number'
    && typeof (error as NodeJS.ErrnoException).syscall === 'string'
  )
}

export const isPromise = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
