// Mutations of versions: rollback, tag, remove, keep, expire. Callers who may replace an output may change its history.

import { GristmillError } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import { checkTag } from '../../src/base/version-path.ts'
import type { Draft } from '../journal/draft.ts'
import { mutation, type Actor, type AnyMutation, type UserOperation } from '../journal/operation.ts'
import type { View } from '../journal/view.ts'
import { checkMay, checkNotSystem, checkSticky, maySearch, mayWrite } from '../namespace/access.ts'
import type { NameEntry } from '../namespace/entry.ts'
import { child, placeAt, type NamePlace } from '../namespace/resolve.ts'
import { checkNoSnapshots } from '../namespace/tree.ts'
import { versionNamed, versionsOf, type FoundVersion } from './lookup.ts'
import { expiries, putRecord } from './rows.ts'
import { free, freeBeyond, freedMax, replaceable, rollBack } from './shelf.ts'

interface Asked extends UserOperation { readonly path: string }

interface Output extends NamePlace { readonly entry: NameEntry; readonly versions: FoundVersion[] }

/** The output at a path, which has versions. Throws ENOENT, ENOTDIR, EINVAL. */
export function outputAt(view: View, actor: Actor, path: string): Output {
  const place = placeAt(view, actor, path)
  const { entry } = place
  if (!entry) throw new GristmillError('ENOENT', `there is no ${path}`, { details: { path } })
  if (!entry.directory) throw new GristmillError('ENOTDIR', `${path} is a file; versions are of outputs of jobs`, { details: { path } })
  const versions = versionsOf(view, entry)
  if (versions.length === 0)
    throw new GristmillError('EINVAL', `${path} has no versions: no job has published it`, { details: { path } })
  return { ...place, entry, versions }
}

/** Throws EACCES, and EBUSY for an output with snapshots, which keeps its place. */
function checkReplaceable(view: View, actor: Actor, { path, parent, entry }: NamePlace & { readonly entry: NameEntry }): void {
  checkNotSystem(path, 'change the versions of')
  checkMay(actor, parent.entry, mayWrite, parent.path)
  checkSticky(actor, parent.entry, entry, path)
  checkMay(actor, entry, mayWrite, path)
  checkMay(actor, entry, maySearch, path)
  checkNoSnapshots(view, entry.id, path, 'replaced')
}

export function named(view: View, { path, entry }: { readonly path: string; readonly entry: NameEntry }, version: string): FoundVersion {
  const found = versionNamed(view, entry, version)
  if (!found)
    throw new GristmillError('ENOENT', `${path} has no version ${version}; "gristmill history ${path}" lists its versions`, {
      details: { path, name: version },
    })
  return found
}

/** `replacedMs`: in the journal's clock. `told`: the result names the freed versions; operations of earlier versions lack it. */
export const rollback = mutation<
  Asked & { to?: string | undefined; keep: number; replacedMs: number; told?: boolean },
  { readonly version: number; readonly from: number; readonly freed?: number[] }
>({
  kind: 'version.rollback',
  mutate(draft, { path, to, keep, nowMs, replacedMs, told = false, user, root }) {
    const output = outputAt(draft, { user, root }, path)
    checkReplaceable(draft, { user, root }, output)
    const target = to === undefined ? output.versions.find(({ isHead }) => !isHead) : named(draft, output, to)
    if (!target) throw new GristmillError('EINVAL', `${path} has no version before the newest one`, { details: { path } })
    const version = rollBack(draft, output, output.entry, { target, user, nowMs, replacedMs: Math.floor(replacedMs) })
    const freed = freeBeyond(draft, child(draft, output.parent.entry.id, output.name)!, Math.max(1, keep))
    return { version, from: target.number.number, ...told && freed.length > 0 && { freed } }
  },
})

export const setTag = mutation<Asked & { version: string; tag?: string | undefined }, undefined>({
  kind: 'version.tag',
  mutate(draft, { path, version, tag, user, root }) {
    if (tag !== undefined) checkTag(tag)
    const output = outputAt(draft, { user, root }, path)
    checkReplaceable(draft, { user, root }, output)
    const { id, record, number } = named(draft, output, version)
    const tagged = output.versions.filter(each => each.number.tag !== undefined)
    const other = tagged.find(each => each.number.tag === tag)?.number.number
    if (other !== undefined && other !== number.number)
      throw new GristmillError('EEXIST', `${path}@${other} has the tag ${tag}; remove it there first ("gristmill history untag ${path}@${tag}")`, {
        details: { path, name: tag },
      })
    if (tag !== undefined && number.tag === undefined && tagged.length >= limits.versionTagsMax)
      throw new GristmillError('EINVAL', `${path} has ${tagged.length} tags, and there may not be more; remove some`, { details: { path } })
    const { tag: _, ...untagged } = number
    const changed = tag === undefined ? untagged : { ...untagged, tag }
    putRecord(draft, id, { ...record, numbers: record.numbers.map(each => (each === number ? changed : each)) })
    return undefined
  },
})

/** Throws ENOENT; EINVAL for the newest version and for tagged ones. */
export const remove = mutation<Asked & { version: string }, undefined>({
  kind: 'version.remove',
  mutate(draft, { path, version, user, root }) {
    const output = outputAt(draft, { user, root }, path)
    checkReplaceable(draft, { user, root }, output)
    const { id, isHead, number: { number, tag } } = named(draft, output, version)
    const refuse = (reason: string): never => {
      throw new GristmillError('EINVAL', `${path}@${number} cannot be freed: ${reason}`, { details: { path, version: number } })
    }
    if (isHead) refuse(`it is the newest version, ${path} itself; roll back to another one first ("gristmill rollback ${path}")`)
    if (tag !== undefined) refuse(`it has the tag ${tag}; remove the tag first ("gristmill history untag ${path}@${tag}")`)
    free(draft, id, number)
    return undefined
  },
})

/** Frees up to `freedMax` versions beyond `keep`. */
export const keepNewest = mutation<Asked & { keep: number }, { readonly freed: number; readonly more: boolean }>({
  kind: 'version.keep',
  mutate(draft, { path, keep, user, root }) {
    const output = outputAt(draft, { user, root }, path)
    checkReplaceable(draft, { user, root }, output)
    const freed = freeBeyond(draft, output.entry, keep).length
    return { freed, more: freed === freedMax && replaceable(draft, output.entry).length > keep }
  },
})

/** Frees versions that were replaced before `beforeMs`, by the journal's clock. Returns true if there may be more. */
export const expire = mutation<{ beforeMs: number }, boolean>({
  kind: 'version.expire',
  mutate: (draft: Draft, { beforeMs }) => {
    const due = [...expiries(draft, freedMax)].filter(({ replacedMs }) => replacedMs < beforeMs)
    for (const { directory, number } of due) free(draft, directory, number)
    return due.length === freedMax
  },
})

export const versionMutations: readonly AnyMutation[] = [rollback, setTag, remove, keepNewest, expire]
