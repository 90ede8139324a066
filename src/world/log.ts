// Log of JSON lines, to stderr or a file. Written synchronously and in order: the last line before a crash matters most, so no line
// waits in a buffer.

import fs from 'node:fs'
import path from 'node:path'
import pino, { type Logger } from 'pino'
import type { Log, LogFields } from '../ports/log.ts'

export interface LogOptions {
  /** Kind of process: namenode, datanode, client… */
  readonly name: string
  readonly level: 'debug' | 'info' | 'warn' | 'error' | 'silent'
  /** Appended to; default: stderr. */
  readonly file?: string | undefined
}

export function openLog({ name, level, file }: LogOptions): Log {
  if (file !== undefined) fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 })
  const destination = pino.destination({ dest: file ?? 2, sync: true, append: true })
  // A full disk or a closed terminal must not stop the process that logs.
  destination.on('error', () => {})
  return new LineLog(pino({
    level,
    base: { name, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: label => ({ level: label }) },
    serializers: { error: pino.stdSerializers.err, cause: pino.stdSerializers.err },
  }, destination))
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
