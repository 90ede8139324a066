// Queries that this user has run in this browser, the newest first.

import { session } from './api.ts'

const entriesMax = 100
const entryCharsMax = 4_000

/** Each user of each cluster has a history of its own. */
function keyOf(): string {
  const current = session.value
  return current.state === 'in' ? `sql ${current.info.cluster} ${current.info.user}` : 'sql'
}

export function readHistory(): readonly string[] {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(keyOf()) ?? '[]')
    return Array.isArray(found) ? found.filter(each => typeof each === 'string') : []
  } catch {
    return []
  }
}

/** A query that was run before comes to the front. */
export function addHistory(sql: string): readonly string[] {
  if (sql.length > entryCharsMax || sql.trim() === '') return readHistory()
  const next = [sql, ...readHistory().filter(each => each !== sql)].slice(0, entriesMax)
  try {
    localStorage.setItem(keyOf(), JSON.stringify(next))
  } catch {
    // The storage of the browser is full, or switched off.
  }
  return next
}

export function clearHistory(): void { localStorage.removeItem(keyOf()) }
