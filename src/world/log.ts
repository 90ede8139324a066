// Log of JSON lines, to stderr or a file. Written synchronously and in order: the last line before a crash matters most, so no line
// waits in a buffer.

import pino, { type Logger } from 'pino'
import type { Log, LogFields } from '../ports/log.ts'
import { LogFile } from './logfile.ts'

export interface LoggerOptions {
  /** Kind of process: namenode, datanode, client… */
  readonly name: string
  readonly level: 'debug' | 'info' | 'warn' | 'error' | 'silent'
  /** Appended to; default: stderr. */
  readonly file?: string | undefined
  /** Size at which the file is rotated (logfile.ts), and the number of earlier ones that are kept. */
  readonly fileBytes?: number | undefined
  readonly fileCopies?: number | undefined
}

export function openLog({ name, level, file, fileBytes, fileCopies }: LoggerOptions): Log {
  const destination = file === undefined ? stderr() : new LogFile({ file, maxBytes: fileBytes, copies: fileCopies })
  return new LineLog(pino({
    level,
    base: { name, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: label => ({ level: label }) },
    serializers: { error: pino.stdSerializers.err, cause: pino.stdSerializers.err },
  }, destination))
}

function stderr(): pino.DestinationStream {
  const destination = pino.destination({ dest: 2, sync: true })
  // A closed terminal must not stop the process that logs.
  destination.on('error', () => {})
  return destination
}

class LineLog implements Log {
  readonly #pino: Logger

  constructor(logger: Logger) { this.#pino = logger }

  debug(message: string, fields?: LogFields): void { this.#pino.debug(fields ?? {}, message) }
  info(message: string, fields?: LogFields): void { this.#pino.info(fields ?? {}, message) }
  warn(message: string, fields?: LogFields): void { this.#pino.warn(fields ?? {}, message) }
  error(message: string, fields?: LogFields): void { this.#pino.error(fields ?? {}, message) }
  child(fields: LogFields): Log { return new LineLog(this.#pino.child(fields)) }
}
