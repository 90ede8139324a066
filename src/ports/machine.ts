// Port: this computer and its processes, for code that starts, finds and stops gristmill's own processes. Not part of the World:
// namenode and datanode do not need it.

export interface Machine {
  /** Pid of this process. */
  readonly pid: number
  /** The user's home directory. */
  readonly userDirectory: string
  readonly user: string
  readonly hostName: string
  readonly cores: number
  /** Memory of the machine, or of the container. */
  readonly memoryBytes: number
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly workingDirectory: string
  /**
   * A text that identifies the process behind a pid; undefined if no process has the pid. Pids are reused: before signalling or
   * trusting a process that it did not start, the caller compares this text.
   */
  born(pid: number): string | undefined
  /** Sends a signal. A process that has ended is no error. */
  signal(pid: number, name: 'SIGTERM' | 'SIGKILL' | 'SIGCONT'): void
  /** True if no process listens there and this process may. */
  isPortFree(host: string, port: number): Promise<boolean>
  /**
   * Starts a Node program that outlives this process, in its own process group: signals of this terminal do not reach it. The program is
   * held: it reads one byte from descriptor 3 before it does anything, and ends if there is none because this process has ended.
   */
  launch(options: LaunchOptions): Launched
}

export interface LaunchOptions {
  /** Main file; `args`: its arguments. */
  readonly main: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  /** Files for its output; the first is truncated, the second appended to. */
  readonly stdoutFile: string
  readonly stderrFile: string
}

export interface Launched {
  readonly pid: number
  /** Settles at the end of the process, if this process still runs then. */
  readonly ended: Promise<{ code: number | null; signal: string | null }>
  /** Lets the program begin. */
  begin(): void
  /** Allows this process to end before the launched one. REQUIRES: `begin` was called. */
  release(): void
}
