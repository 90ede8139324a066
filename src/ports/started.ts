// Port: asynchronous work that a program leaves running: timers, requests and handles that started while its module was loaded or one of
// its functions ran, and have not ended.

export interface StartedWork {
  /** `a timer`, `a connection`. */
  readonly what: string
  /**
   * `request`: ends by itself. `timer`: see `afterMs`. `stream`: a connection or socket, told while it is unref'd only if a reply may be on
   * its way. `process`: a child process. `handle`: stays until it is closed, busy or not.
   */
  readonly kind: 'request' | 'timer' | 'stream' | 'process' | 'handle'
  /** For a timer: its delay in milliseconds. */
  readonly afterMs: number
  /** A timer of setInterval. */
  readonly repeats: boolean
  /** It has called back since `mark`. */
  readonly fired: boolean
  /** For a stream: nothing was written after its last read, and nothing was read since `mark`. */
  readonly idle: boolean
  /** The work does not keep the process running (`unref`). */
  readonly unref: boolean
  /** It was started before the last `begin`: at the top of the module, in setup or by an earlier task, or by a callback of such work. */
  readonly earlier: boolean
  /** Its stack shows the place where the work started. */
  readonly begun: Error
}

export interface Started {
  /** Calls code of the program and tracks the work that it starts, directly or indirectly. */
  call<T>(work: () => T): T
  /** Begins a task of a job, or the part of it after setup: work that was started before is told as `earlier` from now on. */
  begin(job: string): void
  /** The job whose code runs now: a function of its program, or a callback of work that one has started; undefined outside of programs. */
  readonly job: string | undefined
  /** Work still running. Unreferenced work is included, except for servers, watches on files, and streams that are idle. */
  pending(): StartedWork[]
  /** Forgets which work has called back (`fired`). */
  mark(): void
  /** The program has open message ports. Messages between threads cannot be observed. */
  readonly unseen: boolean
  /** Collects garbage, so that weak references are accurate. Takes about 10 ms. */
  collect(): void
}
