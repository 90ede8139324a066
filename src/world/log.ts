// Log of JSON lines, to stderr or a file. Written synchronously and in order: the last line before a crash matters most, so no line
// waits in a buffer.

import pino, { type Logger } from 'pino'
import { limits } from '../base/limits.ts'
import { logLevels, type LevelControl, type Log, type LogFields, type LogLevel } from '../ports/log.ts'
import { LogFile } from './logfile.ts'
import { RecentLines } from './recentlog.ts'

export interface LoggerOptions {
  /** Kind of process: namenode, datanode, client… */
  readonly name: string
  readonly level: LogLevel
  /** Appended to; default: stderr. */
  readonly file?: string | undefined
  /** Size at which the file is rotated (logfile.ts), and the number of earlier ones that are kept. */
  readonly fileBytes?: number | undefined
  readonly fileCopies?: number | undefined
}

/** The log, its level, which can be changed at any time, and its last lines. */
export function openLog({ name, level, file, fileBytes, fileCopies }: LoggerOptions): { log: Log; control: LevelControl } {
  let destination: pino.DestinationStream | undefined
  if (file !== undefined) destination = new LogFile({ file, maxBytes: fileBytes, copies: fileCopies })
  const recent = new RecentLines(limits.recentLogChars)
  const control = { level, recent }
  const both = {
    write(line: string): void {
      recent.add(line)
      destination ??= stderr()
      destination.write(line)
    },
  }
  // Made with the first line: most commands write none, and then load no pino.
  const make = (): Logger => pino({
    level: logLevels[0],
    base: { name, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: label => ({ level: label }) },
    serializers: { error: pino.stdSerializers.err, cause: pino.stdSerializers.err },
  }, both)
  return { log: new LineLog(make, control), control }
}

function stderr(): pino.DestinationStream {
  const destination = pino.destination({ dest: 2, sync: true })
  // A closed terminal must not stop the process that logs.
  destination.on('error', () => {})
  return destination
}

/** Pino's own children would keep the level that they were made with. */
class LineLog implements Log {
  readonly #make: () => Logger
  readonly #control: LevelControl
  #made: Logger | undefined

  constructor(make: () => Logger, control: LevelControl) {
    this.#make = make
    this.#control = control
  }

  get #pino(): Logger { return this.#made ??= this.#make() }

  debug(message: string, fields?: LogFields): void { this.#line('debug', message, fields) }
  info(message: string, fields?: LogFields): void { this.#line('info', message, fields) }
  warn(message: string, fields?: LogFields): void { this.#line('warn', message, fields) }
  error(message: string, fields?: LogFields): void { this.#line('error', message, fields) }
  child(fields: LogFields): Log { return new LineLog(() => this.#pino.child(fields), this.#control) }

  #line(level: Exclude<LogLevel, 'silent'>, message: string, fields: LogFields = {}): void {
    if (logLevels.indexOf(level) >= logLevels.indexOf(this.#control.level)) this.#pino[level](fields, message)
  }
}
