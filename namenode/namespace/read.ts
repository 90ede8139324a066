// Reads of names: stat, list, summary. They read committed state and never wait for the journal.

import { GristmillError } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import { join, nameOf } from '../../src/base/paths.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import type { Actor } from '../journal/operation.ts'
import type { View } from '../journal/view.ts'
import { may, mayRead, maySearch } from './access.ts'
import { statusOf, type NameEntry } from './entry.ts'
import { isShelf } from './resolve.ts'
import { numberOf } from '../versions/lookup.ts'
import { childrenOf, entriesOf, find, mayList, type FoundName } from './asof.ts'

export function stat(view: View, actor: Actor, path: string): FileStatus {
  const { entry, number, at } = find(view, actor, path)
  const version = number ?? (entry.directory ? numberOf(view, entry.id, at) : undefined)
  return { ...statusOf(path, entry), ...version !== undefined && { version } }
}

interface ListPage { readonly entries: FileStatus[]; readonly next?: string }

export function list(
  view: View, actor: Actor,
  { path, after, limit = limits.listPageMax }: { path: string; after?: string | undefined; limit?: number | undefined },
): ListPage {
  const found = find(view, actor, path)
  if (!found.entry.directory) return { entries: [statusOf(path, found.entry)] }
  mayList(actor, found, path)
  const entries: FileStatus[] = []
  let text = 0
  for (const { name, entry } of childrenOf(view, found, after)) {
    if (entries.length === limit || text > limits.pageTextMax) return { entries, next: nameOf(entries.at(-1)!.path) }
    entries.push(statusOf(join(path, name), entry))
    text += path.length + name.length
  }
  return { entries }
}

interface Totals { files: number; directories: number; bytes: number; stored: number }

/** Entries between two turns of the event loop. */
const slice = 1000

/**
 * Totals at and below a path; with `versions` also those of older versions of outputs and objects. If the tree changes during the walk,
 * some parts are counted before and some after the change. Directories that the actor may not read are counted without their contents.
 */
export async function summary(
  view: View, actor: Actor, path: string,
  world: { yield(): Promise<void>; signal: AbortSignal },
  versions = false,
): Promise<Totals & { versions?: Totals }> {
  const top = find(view, actor, path)
  const totals = noTotals()
  const older = noTotals()
  add(totals, top.entry)
  if (!top.entry.directory) return { ...totals, ...versions && { versions: older } }
  mayList(actor, top, path)
  // Depth first: `open` holds at most one page of entries per level of the path.
  const open: Array<{ found: FoundName; to: Totals; after?: string }> = [{ found: top, to: totals }]
  for (let waiting = open.pop(); waiting; waiting = open.pop()) {
    if (world.signal.aborted) throw new GristmillError('ABORTED', 'the caller went away')
    const { found, to, after } = waiting
    const below: typeof open = []
    let count = 0
    for (const { name, entry } of versions ? entriesOf(view, found, after) : childrenOf(view, found, after)) {
      const onShelf = isShelf(name)
      // The shelf itself is no directory of a user, and its rights are those of the directory that has it.
      if (!onShelf) add(to, entry)
      if (entry.directory && (onShelf || (may(actor, entry, mayRead) && may(actor, entry, maySearch))))
        below.push({ found: { entry, at: found.at }, to: onShelf ? older : to })
      if (++count === slice) {
        open.push({ found, to, after: name })
        break
      }
    }
    open.push(...below)
    await world.yield()
  }
  return { ...totals, ...versions && { versions: older } }
}

const noTotals = (): Totals => ({ files: 0, directories: 0, bytes: 0, stored: 0 })

function add(totals: Totals, entry: NameEntry): void {
  if (entry.directory) totals.directories++
  else totals.files++
  totals.bytes += entry.length
  totals.stored += entry.length * entry.replication
}
