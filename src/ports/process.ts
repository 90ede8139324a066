// Port: child processes that run users' code, with a memory limit. Started by datanodes (executors), and by clients to load a program.

export interface Processes {
  /** Starts a Node process with the given main file, an environment of exactly `env`, and its own process group. */
  start(options: ChildOptions): Child
  /**
   * Kills processes that ended children with working directories below `directory` have left behind, also outside of their groups,
   * as far as they can be found (Linux). REQUIRES: these children have ended. Returns their number.
   */
  endStrays(directory: string): Promise<number>
}

export interface ChildOptions {
  /** URL of the main file (.ts in development, .js when built). */
  readonly main: URL
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  /** Limit of the V8 heap; the caller watches `residentBytes` for memory outside of it. */
  readonly heapBytesMax: number
  /**
   * Directories, with their contents, that it may write to; default: anywhere. Protects against accidents only: malicious code can
   * start another process or load native code, both of which are allowed.
   */
  readonly writable?: readonly string[]
  /** Receives stdout and stderr, as they arrive. */
  readonly onOutput: (bytes: Buffer, stream: 'stdout' | 'stderr') => void
  readonly onMessage: (message: unknown) => void
  /** Called exactly once, after the last message. */
  readonly onExit: (end: { code: number | null; signal: string | null }) => void
}

export interface Child {
  readonly pid: number
  /** Sends a structured message of at most a few KiB; data goes over files and wires. */
  send(message: unknown): void
  /** Sends SIGKILL to the whole process group. */
  kill(): void
  /** Resident memory now, or 0 if unknown. */
  residentBytes(): number
}
