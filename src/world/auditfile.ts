// Audit log in a file: one line of JSON for each entry, rotated by size (logfile.ts).

import type { Audit } from '../ports/audit.ts'
import { LogFile, type LogFileOptions } from './logfile.ts'

export interface AuditFileOptions extends LogFileOptions {
  /** Calls that change nothing have a line too. */
  readonly reads: boolean
}

/** Throws the error of the disk if the file cannot be opened. */
export function auditFile({ reads, ...options }: AuditFileOptions): Audit {
  const file = new LogFile(options)
  return ({ atMs, user, address, action, read, outcome, fields }) => {
    if (read && !reads) return
    file.write(`${JSON.stringify({ time: new Date(atMs).toISOString(), user, address, action, outcome, ...fields })}\n`)
  }
}
