// Versions of an output by number or tag. A name `NAME@3` or `NAME@TAG` in a path that is read leads to a version of NAME, if no entry
// has that very name. Rights to a version are those to the output: its mode, access control list, owner and group are the head's.

import type { InodeId } from '../../src/base/ids.ts'
import { splitVersion } from '../../src/base/version-path.ts'
import type { View } from '../journal/view.ts'
import type { NameEntry } from '../namespace/entry.ts'
import { newestOf, numbersIn, onShelf, present, recordOf, shelfOf, type KeptDirectory, type Reading, type VersionNumber } from './rows.ts'

/** A number of a version, and the directory that has it. */
export interface FoundVersion extends KeptDirectory {
  readonly number: VersionNumber
  /** The version is the output as it is. */
  readonly isHead: boolean
}

/** Directories of an output's history: the head, if a job published it, then those on its shelf, in no order. */
function* directoriesOf(view: View, head: NameEntry, reading?: Reading): Iterable<KeptDirectory> {
  const record = recordOf(view, head.id)
  if (record) yield { id: head.id, entry: head, record }
  const shelf = shelfOf(view, head.id, reading)
  if (shelf) yield* onShelf(view, shelf.id, reading)
}

/** All versions of an output, the newest first. */
export function versionsOf(view: View, head: NameEntry): FoundVersion[] {
  const found: FoundVersion[] = []
  for (const directory of directoriesOf(view, head)) {
    const newest = newestOf(directory.record)
    for (const number of directory.record.numbers)
      found.push({ ...directory, number, isHead: directory.id === head.id && number === newest })
  }
  return found.sort((a, b) => b.number.number - a.number.number)
}

/** `name`: a number, or a tag. */
export function versionNamed(view: View, head: NameEntry, name: string, reading?: Reading): FoundVersion | undefined {
  if (!head.directory || view.counters.versions === 0) return undefined
  const wanted = /^[1-9]\d{0,8}$/.test(name) ? Number(name) : undefined
  for (const directory of directoriesOf(view, head, reading)) {
    const numbers = numbersIn(directory.record, reading?.at)
    const number = numbers.find(each => (wanted === undefined ? each.tag === name : each.number === wanted))
    if (number) return { ...directory, number, isHead: directory.id === head.id && number === numbers.at(-1) }
  }
  return undefined
}

/** The entry that a version is read as; `at`: operation after which its contents are read. */
export function readAs(
  { entry, number }: FoundVersion, { mode, acl, owner, group }: NameEntry,
): { readonly entry: NameEntry; readonly at: number | undefined } {
  return { entry: { ...entry, mode, acl, owner, group }, at: number.at }
}

/** Looks up `NAME@VERSION` in a directory. */
export function versionIn(
  view: View, directory: InodeId, name: string, reading = present(view),
): { readonly head: NameEntry; readonly version: FoundVersion } | undefined {
  if (view.counters.versions === 0) return undefined
  const asked = splitVersion(name)
  const head = asked && reading.child(directory, asked.name)
  const version = head && versionNamed(view, head, asked.version, reading)
  return version && { head, version }
}

/** Number of the version that a directory is the head of, or was in a snapshot; undefined if no job published it. */
export function numberOf(view: View, directory: InodeId, at: number | undefined): number | undefined {
  const record = recordOf(view, directory)
  return record && numbersIn(record, at).at(-1)?.number
}
