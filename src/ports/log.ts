// Port: log of a process. The message is for people, the fields are for programs.

/** Least important first; `silent` logs nothing. */
export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

/** Level of the log of this process, and of all its children. */
export interface LevelControl {
  level: LogLevel
  /** Default: none are kept. */
  readonly recent?: RecentLog | undefined
}

/** The last lines of the log of this process. They are numbered from 0 on. */
export interface RecentLog {
  /** Differs from process to process. */
  readonly process: string
  /** Lines from a number on, of at most so many characters. `from` is the number of the first of them, or that of the line after all. */
  read(from: number, charsMax: number): { readonly from: number; readonly lines: readonly string[]; readonly next: number }
}

export type LogFields = Readonly<Record<string, unknown>>

export interface Log {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** A log whose lines all carry these fields. */
  child(fields: LogFields): Log
}

/** Implementation that logs nothing. */
export const silent: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent }
