// Port: log of a process. The message is for people, the fields are for programs.

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
