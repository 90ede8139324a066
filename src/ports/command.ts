// Port: Unix commands that a task runs, with pipes for input, output and errors. A command belongs to the process group of the process
// that starts it, so that it ends with that process.

export interface Commands {
  /** Starts a program with an environment of exactly `env`. A program that cannot be started ends at once, with `error`. */
  start(options: CommandStart): CommandProcess
  /**
   * Kills the processes that ended commands have left in this process's group, as far as they can be found (Linux). Returns their number.
   * REQUIRES: no command runs.
   */
  endLeft(): Promise<number>
}

export interface CommandStart {
  /** Path of the program, and its arguments. */
  readonly argv: readonly [string, ...string[]]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  /** Receives stderr as it arrives. */
  readonly onError: (bytes: Buffer) => void
}

export interface CommandProcess {
  /** The next bytes of stdout; undefined at its end. REQUIRES: one call at a time. Output that is not read makes the command wait. */
  read(): Promise<Buffer | undefined>
  /**
   * Resolves when the pipe has room again. False: the command has closed its input, and the bytes are dropped. REQUIRES: one call at a
   * time.
   */
  write(bytes: Buffer): Promise<boolean>
  /** The input ends. */
  end(): void
  /** Resolves when the program has ended, its output is read to its end, and its stderr has arrived; never rejects. */
  readonly ended: Promise<CommandEnd>
  kill(): void
}

export interface CommandEnd {
  readonly code: number | null
  readonly signal: string | null
  /** The program could not be started: the code of the system's error, such as ENOENT or EACCES. */
  readonly error?: string
  /** A process that the program has left running keeps its output open and writes nothing: what was read may not be all. */
  readonly held?: boolean
}
