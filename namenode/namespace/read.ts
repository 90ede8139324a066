// Questions about names: stat, list, summary. They read committed state and wait for nobody.

import { GristmillError } from '../../src/base/errors.ts'
import { inodeId, type InodeId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import { join, nameOf, systemDirectory } from '../../src/base/paths.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import { childKey, childKeyAfter, idKey, nameOfKey } from '../journal/keys.ts'
import type { Actor } from '../journal/operation.ts'
import type { View } from '../journal/view.ts'
import { checkMay, may, mayRead, maySearch } from './access.ts'
import { decodeEntry, statusOf } from './entry.ts'
import { entryAt, rootId } from './resolve.ts'

export const stat = (view: View, actor: Actor, path: string): FileStatus => statusOf(path, entryAt(view, actor, path))

export interface Page { readonly entries: FileStatus[]; readonly next?: string }

export function list(view: View, actor: Actor, { path, after, limit = limits.listPageMax }: { path: string; after?: string | undefined; limit?: number | undefined }): Page {
  const entry = entryAt(view, actor, path)
  if (!entry.directory) return { entries: [statusOf(path, entry)] }
  checkMay(actor, entry, mayRead, path)
  const entries: FileStatus[] = []
  const start = after === undefined ? childKey(entry.id, '') : childKeyAfter(entry.id, after)
  for (const { key, value } of view.range('children', { start, end: idKey(entry.id + 1) })) {
    if (entries.length === limit) return { entries, next: nameOf(entries.at(-1)!.path) }
    const name = nameOfKey(key)
    if (entry.id === rootId && name === nameOf(systemDirectory)) continue
    entries.push(statusOf(join(path, name), decodeEntry(value)))
  }
  return { entries }
}

export interface Totals { files: number; directories: number; bytes: number; stored: number }

/** Entries between two looks at what else waits. */
const slice = 1000

/**
 * Totals at and below a path. The tree may change meanwhile: then some of it is counted as it was, some as it is.
 * Directories that the actor may not read are counted without what is in them.
 */
export async function summary(view: View, actor: Actor, path: string, world: { yield(): Promise<void>; signal: AbortSignal }): Promise<Totals> {
  const top = entryAt(view, actor, path)
  const totals: Totals = { files: 0, directories: 0, bytes: 0, stored: 0 }
  const add = (entry: typeof top): void => {
    if (entry.directory) totals.directories++
    else totals.files++
    totals.bytes += entry.length
    totals.stored += entry.length * entry.replication
  }
  add(top)
  if (!top.directory) return totals
  checkMay(actor, top, mayRead, path)
  // Depth first: what waits is one directory's page and the directories beside the way down.
  const open: Array<{ id: InodeId; after: Buffer }> = [{ id: top.id, after: childKey(top.id, '') }]
  for (let at = open.pop(); at; at = open.pop()) {
    if (world.signal.aborted) throw new GristmillError('ABORTED', 'the caller went away')
    const below: typeof open = []
    let count = 0
    let last: Buffer | undefined
    for (const { key, value } of view.range('children', { start: at.after, end: idKey(at.id + 1), limit: slice })) {
      count++
      last = key
      if (at.id === rootId && nameOfKey(key) === nameOf(systemDirectory)) continue
      const entry = decodeEntry(value)
      add(entry)
      if (entry.directory && may(actor, entry, mayRead) && may(actor, entry, maySearch)) below.push({ id: inodeId(entry.id), after: childKey(entry.id, '') })
    }
    if (count === slice) open.push({ id: at.id, after: Buffer.concat([last!, Buffer.alloc(1)]) })
    open.push(...below)
    await world.yield()
  }
  return totals
}
