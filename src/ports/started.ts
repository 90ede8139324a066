// Port: asynchronous work that a program leaves running: timers, requests and handles that started while its module was loaded or one of
// its functions ran, and have not ended.

export interface StartedWork {
  /** `a timer`, `a connection`. */
  readonly what: string
  /**
   * `request`: ends by itself. `reply`: an HTTP request whose reply has begun; the body has not ended, and is being read. `timer`: see
   * `afterMs`. `stream`: a connection or socket, told while it is unref'd only if a reply may be on its way. `process`: a child process.
   * `thread`: a worker thread. `handle`: stays until it is closed, busy or not.
   */
  readonly kind: 'request' | 'reply' | 'timer' | 'stream' | 'process' | 'thread' | 'handle'
  /** For a timer: its delay in milliseconds. */
  readonly afterMs: number
  /** A timer of setInterval. */
  readonly repeats: boolean
  /** It has called back since `mark`. */
  readonly fired: boolean
  /** For a stream: it was written to since the last `begin`, and has not been read since it was written to. */
  readonly asked: boolean
  /** For a stream: it has been read. */
  readonly heard: boolean
  /** For a stream: not asked, and nothing more of a reply to what was written since the last `begin` has come for a while. */
  readonly idle: boolean
  /** The work does not keep the process running (`unref`). */
  readonly unref: boolean
  /** It was started before the last `begin`: at the top of the module, in setup or by an earlier task. */
  readonly earlier: boolean
  /** Its stack shows the place where the work started. */
  readonly begun: Error
}

export interface Started {
  /** Calls code of the program and tracks the work that it starts, directly or indirectly. */
  call<T>(work: () => T): T
  /**
   * Begins a task of a job, or the part of it after setup. Work that was started before is told as `earlier` from now on, and connections
   * count as asked only for what is written to them from now on. Callbacks of earlier work belong to the part in which they run: the work
   * that they start, and the bytes that they write to a connection of an earlier part, are the current part's.
   */
  begin(job: string): void
  /** The job whose code runs now: a function of its program, or a callback of work that one has started; undefined outside of programs. */
  readonly job: string | undefined
  /**
   * Work still running. Unreferenced work is included, except for servers, watches on files, and streams that are idle. A look: a stream
   * that was read after `mark` is idle after some looks without a further read.
   */
  pending(): StartedWork[]
  /** Forgets which work has called back (`fired`). */
  mark(): void
  /** The program has open message ports. Messages between threads cannot be observed. */
  readonly unseen: boolean
  /** Collects garbage, so that weak references are accurate. Takes about 10 ms. */
  collect(): void
}
