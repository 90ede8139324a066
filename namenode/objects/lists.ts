// Lists of objects: keys below a directory, and their versions. One page is one call, and reads about as many entries as it returns,
// wherever it starts.

import { limits } from '../../src/base/limits.ts'
import type { ReplyOf, RequestOf } from '../../src/protocol/message.ts'
import type * as protocol from '../../src/protocol/object.ts'
import { childKey } from '../journal/keys.ts'
import type { Actor } from '../journal/operation.ts'
import type { View } from '../journal/view.ts'
import { may, mayRead } from '../namespace/access.ts'
import { statusOf, type NameEntry } from '../namespace/entry.ts'
import { versioningOf } from '../namespace/keyversions.ts'
import { directoryAt } from '../namespace/resolve.ts'
import { walkVersions } from './versionwalk.ts'
import { olderBelow } from './below.ts'
import { walkFrom, walkKeys } from './walk.ts'

export function namedOf(view: View, { id }: NameEntry, names: readonly string[]): { name: string; value: string }[] {
  const named: { name: string; value: string }[] = []
  if (view.counters.attributes === 0) return named
  for (const name of names) {
    const value = view.get('attributes', childKey(id, name))
    if (value) named.push({ name, value: value.toString('base64') })
  }
  return named
}

/** Behind every key that begins with a prefix: keys have at most so many characters. */
const last = '\u{10ffff}'.repeat(256)

export function listObjects(view: View, actor: Actor, request: RequestOf<typeof protocol.list>): ReplyOf<typeof protocol.list> {
  const { path, prefix, delimiter, after, limit, attributes } = request
  const { entry } = directoryAt(view, actor, path)
  const entries: ReplyOf<typeof protocol.list>['entries'] = []
  const older = olderBelow(view, actor, { path, prefix })
  const versioned = older === undefined && versioningOf(view, entry) !== undefined
  let from = after
  let text = 0
  const page = (): ReplyOf<typeof protocol.list> | undefined =>
    (entries.length >= limit || text > limits.pageTextMax ? { entries, next: entries.at(-1)!.key } : undefined)
  /** Adds keys until one has to be rolled up; returns its common prefix. */
  const walk = (): string | ReplyOf<typeof protocol.list> => {
    const options = { view, actor, prefix, after: from, rolled: delimiter === '/', attributes, versioned }
    for (const walked of older ? walkFrom(older, options) : walkKeys({ entry, path, key: '' }, options)) {
      const full = page()
      if (full) return full
      const { key, rolled } = walked
      const end = delimiter === undefined || rolled ? -1 : key.indexOf(delimiter, prefix.length)
      if (end >= 0) return key.slice(0, end + delimiter!.length)
      const shown = may(actor, walked.entry, mayRead) ? namedOf(view, walked.entry, attributes) : []
      const one: (typeof entries)[number] = { key, status: statusOf(walked.path, walked.entry) }
      if (rolled) one.rolled = true
      if (shown.length > 0) one.attributes = shown
      entries.push(one)
      text += key.length + walked.path.length
      for (const { name, value } of shown) text += name.length + value.length
    }
    return { entries }
  }
  for (;;) {
    const found = walk()
    if (typeof found !== 'string') return found
    if (found !== after) {
      entries.push({ key: found, rolled: true })
      text += found.length
    }
    from = found + last
  }
}

/** As `listObjects`, with a place behind one version of a key. */
export function listVersions(view: View, actor: Actor, request: RequestOf<typeof protocol.versions>): ReplyOf<typeof protocol.versions> {
  const { path, prefix, delimiter, after, limit, attributes } = request
  const { entry } = directoryAt(view, actor, path)
  const entries: ReplyOf<typeof protocol.versions>['entries'] = []
  let from = after
  let text = 0
  const page = (): ReplyOf<typeof protocol.versions> | undefined => {
    if (entries.length < limit && text <= limits.pageTextMax) return undefined
    const { key, version } = entries.at(-1)!
    return { entries, next: { key, ...version !== undefined && { version } } }
  }
  /** Adds versions until one has to be rolled up; returns its common prefix. */
  const walk = (): string | ReplyOf<typeof protocol.versions> => {
    const options = { view, actor, prefix, after: from?.key, afterVersion: from?.version, rolled: delimiter === '/', attributes }
    for (const { key, rolled, path: at, entry: found, version, latest, marker } of walkVersions({ entry, path, key: '' }, options)) {
      const full = page()
      if (full) return full
      const end = delimiter === undefined || rolled ? -1 : key.indexOf(delimiter, prefix.length)
      if (end >= 0) return key.slice(0, end + delimiter!.length)
      const shown = may(actor, found, mayRead) ? namedOf(view, found, attributes) : []
      entries.push({
        key, status: statusOf(at, found), ...rolled && { rolled }, ...version !== undefined && { version },
        ...latest && { latest: true }, ...marker && { marker: true }, ...shown.length > 0 && { attributes: shown },
      })
      text += key.length + at.length + shown.reduce((sum, { name, value }) => sum + name.length + value.length, 0)
    }
    return { entries }
  }
  for (;;) {
    const found = walk()
    if (typeof found !== 'string') return found
    if (found !== after?.key) {
      entries.push({ key: found, rolled: true })
      text += found.length
    }
    from = { key: found + last }
  }
}
