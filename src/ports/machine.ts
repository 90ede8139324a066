// This computer and its processes, as those see it who start, find and stop gristmill's own processes. Not part of the World:
// a namenode or a datanode needs none of it.

export interface Machine {
  /** This process. */
  readonly pid: number
  /** The user's own directory. */
  readonly userDirectory: string
  readonly user: string
  readonly hostName: string
  readonly cores: number
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly workingDirectory: string
  /**
   * A text that tells this process id's present holder from any later one; undefined if no process has the id.
   * Ids are used again: whoever signals or believes in a process that it did not start itself compares this first.
   */
  born(pid: number): string | undefined
  /** A process that is gone already is not an error. */
  signal(pid: number, name: 'SIGTERM' | 'SIGKILL' | 'SIGCONT'): void
  /** Nothing listens there now, and this process may. */
  isPortFree(host: string, port: number): Promise<boolean>
  /** Starts a Node program that outlives this process, in a process group of its own: signals of this terminal do not reach it. */
  launch(options: LaunchOptions): Launched
}

export interface LaunchOptions {
  /** The main file, and its arguments. */
  readonly main: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  /** Files that get what it writes; the first is emptied, the second appended to. */
  readonly stdoutFile: string
  readonly stderrFile: string
}

export interface Launched {
  readonly pid: number
  /** Settles when it has ended, if this process is still there to see it. */
  readonly ended: Promise<{ code: number | null; signal: string | null }>
  /** This process may end without waiting for that one. */
  release(): void
}
