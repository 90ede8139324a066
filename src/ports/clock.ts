// Port: time. Deadlines, leases and timeouts use `mono`; `now` is for people and file times only.

export interface Clock {
  /** Wall-clock milliseconds since 1970. It may jump. */
  now(): number
  /** Monotonic milliseconds since some start, with fractions. It never goes back. */
  mono(): number
  /** Rejects with the signal's reason if aborted first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** Calls `work` once after `ms`, unless cancelled by the returned function. Does not keep the process alive. */
  after(ms: number, work: () => void): () => void
  /** A signal that aborts with a TimeoutError after `ms`, or with `signal`'s reason when that aborts. */
  deadline(ms: number, signal?: AbortSignal): AbortSignal
  /** Lets all other ready work run first (one turn of the event loop). Long loops call it. */
  yield(): Promise<void>
}
