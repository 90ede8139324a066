// Port: the clock and the random numbers that a program gets from JavaScript itself, `Date` and `Math.random`, while its module is loaded
// and its function describes steps. Functions of steps, which tasks call, get those of the machine.

export interface ProgramSources {
  /** Milliseconds since 1970. */
  now(): number
  /** From 0 to 1. */
  random(): number
}

export interface ProgramGlobals {
  /** Time of the machine, also while the globals are held. */
  systemNow(): number
  /** Calls `work`; it and what follows from it asynchronously use these sources while the globals are held. */
  during<T>(sources: ProgramSources, work: () => T): T
  /** Puts the globals in place. Returns a function that takes them away again, once it was called as often as `hold`. */
  hold(): () => void
}
