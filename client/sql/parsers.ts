// Engines that read statements, kept from query to query: starting one takes longer than reading a statement. A statement is parsed there
// and never run, so nothing of it stays. They reach no file.

import type { Database, OpenDatabase } from '../../src/ports/database.ts'

/** Waiting engines of one process; each takes some 3 MB. Queries at the same moment open more, which are closed behind them. */
const waitingMax = 2

const waiting = new WeakMap<OpenDatabase, Database[]>()

/** Does the work with an engine that no other query uses meanwhile. After an error it is not used again. */
export async function withParser<T>(
  open: OpenDatabase, options: Parameters<OpenDatabase>[0], work: (parser: Database) => Promise<T>,
): Promise<T> {
  const idle = waiting.get(open) ?? []
  waiting.set(open, idle)
  const parser = idle.pop() ?? await opened(open, options)
  let isKept = false
  try {
    const result = await work(parser)
    isKept = idle.length < waitingMax
    if (isKept) idle.push(parser)
    return result
  } finally {
    if (!isKept) parser.close()
  }
}

async function opened(open: OpenDatabase, options: Parameters<OpenDatabase>[0]): Promise<Database> {
  const parser = await open(options)
  try {
    await parser.confine([])
    return parser
  } catch (error) {
    parser.close()
    throw error
  }
}
