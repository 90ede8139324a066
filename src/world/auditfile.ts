// Audit log in a file: one line of JSON for each entry, rotated by size (logfile.ts). Long fields are cut, and the entry says by how much,
// so that one call cannot move many kept lines out of the files.

import type { Audit } from '../ports/audit.ts'
import { LogFile, type LogFileOptions } from './logfile.ts'

interface AuditFileOptions extends LogFileOptions {
  /** Calls that change nothing have a line too. */
  readonly reads: boolean
}

/** Largest field in a line, as JSON: two paths of 4 KiB fit into a list, and a path is cut only if it consists of escapes. */
const fieldBytesMax = 8 * 1024

/** Throws the error of the disk if the file cannot be opened. */
export function auditFile({ reads, ...options }: AuditFileOptions): Audit {
  const file = new LogFile(options)
  return ({ atMs, user, address, action, read, outcome, fields }) => {
    if (read && !reads) return
    file.write(`${JSON.stringify({ time: new Date(atMs).toISOString(), user, address, action, outcome, ...bounded(fields) })}\n`)
  }
}

/** The fields; if some are cut, also `cut`: the number of characters, or of items of a list, that each lacks. */
function bounded(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const kept: Record<string, unknown> = {}
  const cut: Record<string, number> = {}
  for (const [name, value] of Object.entries(fields)) {
    kept[name] = value
    if (bytesOf(value) <= fieldBytesMax) continue
    const parts = Array.isArray(value) ? value as unknown[] : typeof value === 'string' ? value : JSON.stringify(value)
    const count = fitting(parts)
    kept[name] = parts.slice(0, count)
    cut[name] = parts.length - count
  }
  return Object.keys(cut).length === 0 ? kept : { ...kept, cut }
}

/** Number of first items, or of characters (UTF-16 units), that take at most `fieldBytesMax`. */
function fitting(parts: string | readonly unknown[]): number {
  let bytes = 2 // quotes or brackets
  let count = 0
  for (const part of parts) {
    // A character has no quotes, an item has a comma.
    bytes += typeof parts === 'string' ? bytesOf(part) - 2 : bytesOf(part) + 1
    if (bytes > fieldBytesMax) break
    count += typeof parts === 'string' ? (part as string).length : 1
  }
  return count
}

const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value) ?? '')
