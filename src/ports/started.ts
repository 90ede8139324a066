// Port: asynchronous work that users' functions leave running: timers, requests and handles that started while one of them ran and
// have not ended.

export interface StartedWork {
  /** `a timer`, `a connection`. */
  readonly what: string
  /** `request`: ends by itself. `handle`: stays until it is closed, busy or not. `timer`: see `afterMs`. */
  readonly kind: 'request' | 'timer' | 'handle'
  /** For a timer: its delay in milliseconds. */
  readonly afterMs: number
  /** A timer of setInterval. */
  readonly repeats: boolean
  /** The work does not keep the process running (`unref`). */
  readonly unref: boolean
  /** Its stack shows the place where the work started. */
  readonly begun: Error
}

export interface Started {
  /** Calls a user's function and tracks the work that it starts, directly or indirectly. */
  call<T>(work: () => T): T
  /**
   * Work still running. Unreferenced work is included for timers, processes and threads, but not for sockets, which may be idle.
   */
  pending(): StartedWork[]
  /** Since `reset`, work was started whose end cannot be observed: messages between threads. */
  readonly unseen: boolean
  /** Forgets requests and timers of earlier work; open handles stay tracked, since they may be used again. */
  reset(): void
  /** Collects garbage, so that weak references are accurate. Takes about 10 ms. */
  collect(): void
}
