// The law of this room: how records flow through a task.
//
//   source ──batches or groups──▶ operator ──emit──▶ sink
//
// - The task (whoever puts the parts together) drives: it takes an item from the source, pushes it into the operator, and then
//   lets the sink settle. One push at a time. It cleans up: it closes the source, and finishes or discards the sink.
// - `push` calls the user's function, which calls `emit` any number of times before it returns. Nothing on this way waits: no
//   promise a record. Only if the user's function itself returned a promise, or asynchronous pairs, does `push` return one.
// - `emit` never waits. A sink that cannot put away at once what it is given keeps it, within a bound of memory, beyond that on the disk.
// - Order is kept: a sink gets records in the order in which the source had them.
// - What a user's function throws leaves `push` as FunctionFailed, with the place of what was being worked on. What a sink's disk
//   refuses leaves it as SinkFailed, even if the user's function has caught it: the sink remembers.

export type Key = string | number | bigint | boolean | null | readonly Key[]
export type Emit = (key: Key, value: unknown) => void

export interface Operator<In> {
  push(item: In): void | Promise<void>
}

export interface Sink<Result> {
  /** May be handed to the user: it needs no `this`. */
  readonly emit: Emit
  /** How often `emit` was called. */
  readonly records: number
  /** Puts away what is kept, if it has become worth it; undefined if there is nothing to wait for. */
  settle(): Promise<void> | undefined
  /** Once, when all was emitted. On failure `discard` is called. */
  finish(): Promise<Result>
  /** Leaves nothing behind. */
  discard(): Promise<void>
}

export interface RecordPlace { readonly path: string; readonly offset: number }

/** The user's function threw `cause`. */
export class FunctionFailed extends Error {
  override name = 'FunctionFailed'
  /** Of the record, where there is one. */
  readonly place: RecordPlace | undefined
  /** The key, for people. */
  readonly key: string | undefined

  constructor(cause: unknown, { place, key }: { place?: RecordPlace | undefined; key?: string | undefined }) {
    super('a function of the program failed', { cause })
    this.place = place
    this.key = key
  }
}

/** This machine could not put away what was emitted. */
export class SinkFailed extends Error {
  override name = 'SinkFailed'
}

/** An error of the operating system, as the disk port throws it: not what a user's function or a check of ours throws. */
export function isDiskError(error: unknown): boolean {
  return (
    error instanceof Error
    && typeof (error as NodeJS.ErrnoException).errno === 'number'
    && typeof (error as NodeJS.ErrnoException).syscall === 'string'
  )
}

export const isPromise = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
