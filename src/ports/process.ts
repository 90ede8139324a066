// Child processes that run users' code. Only a datanode starts them.

export interface Processes {
  /** Starts a Node process with the given main file, an environment of exactly `env`, and its own process group. */
  start(options: ChildOptions): Child
  /**
   * Kills what children with working directories in `directory` have started and what has left their groups, as far as it can be
   * found (Linux). REQUIRES: these children have ended. How many there were.
   */
  endStrays(directory: string): Promise<number>
}

export interface ChildOptions {
  /** URL of the main file (.ts in development, .js when built). */
  readonly main: URL
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  /** Limit of the V8 heap; the caller watches `residentBytes` for what lies outside of it. */
  readonly heapBytesMax: number
  /**
   * Directories, with all below them, that it may write to; anywhere if missing. Against accidents: whoever means harm gets
   * around it by starting another process or loading native code, both of which are allowed.
   */
  readonly writable?: readonly string[]
  /** Receives stdout and stderr, as they come. */
  readonly onOutput: (bytes: Buffer, stream: 'stdout' | 'stderr') => void
  readonly onMessage: (message: unknown) => void
  /** Called exactly once, after the last message. */
  readonly onExit: (end: { code: number | null; signal: string | null }) => void
}

export interface Child {
  readonly pid: number
  /** Structured messages of at most a few KiB; data goes over files and wires. */
  send(message: unknown): void
  /** SIGKILL to the whole process group. */
  kill(): void
  /** Resident memory now, or 0 if it cannot be told. */
  residentBytes(): number
}
