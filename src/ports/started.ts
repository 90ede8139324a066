// What users' functions leave running: timers, requests and handles that were begun while one of them ran, and have not ended.

export interface StartedWork {
  /** `a timer`, `a connection`. */
  readonly what: string
  /**
   * `request`: ends by itself, soon or late. `handle`: stays until it is closed, busy or not. `timer`: see `afterMs`.
   */
  readonly kind: 'request' | 'timer' | 'handle'
  /** For a timer: when it fires. */
  readonly afterMs: number
  /** A timer of setInterval. */
  readonly repeats: boolean
  /** It was told not to keep the process running (`unref`). */
  readonly unref: boolean
  /** Its stack is that of where it was begun. */
  readonly begun: Error
}

export interface Started {
  /** Calls a user's function; what it begins, and what that begins, is kept in mind. */
  call<T>(work: () => T): T
  /** What is still running. Of what was told not to keep the process running: timers, processes and threads, and not idle sockets. */
  pending(): StartedWork[]
  /** Since `reset`, work was begun whose end is not known: messages between threads. */
  readonly unseen: boolean
  /** Forgets requests and timers of earlier work; open handles may be used again. */
  reset(): void
  /** Cleans the memory, so that weak references tell the truth. Takes some 10 ms. */
  collect(): void
}
