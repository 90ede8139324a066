// Where things go: `put a b dir/`, `mv a b`, `cp -r x y`. The rules that put, get, cp and mv share are here, and only here. The last
// operand is a directory if it ends in / or is one already, and must be one when several things go there; otherwise it is the new name
// itself, in a directory that is there. Two things never go to one place: the second would take the place of the first.

import { basename, dirname } from 'node:path'
import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { join, nameOf, normalise, parentOf } from '../../src/base/paths.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { Mill } from '../mill.ts'
import { Refusal } from './errors.ts'
import type { CommandContext } from './context.ts'
import { statusOrNone } from './tree.ts'

export interface Target {
  /** The path that a thing called `name` gets. */
  pathFor(name: string): string
  readonly directory: boolean
  /** Makes the directory that a slash at the end names, if it is missing; undefined where there is nothing to make. */
  readonly make?: (() => Promise<void>) | undefined
}

/** A trailing slash names a directory, which `make` makes. Throws ENOENT if the directory that a new name would be in is missing. */
export async function remoteTarget(mill: Mill, operand: string, several: boolean, signal: AbortSignal): Promise<Target> {
  const path = normalise(operand)
  const status = await statusOrNone(mill, path, signal)
  if (status?.type === 'directory') return { directory: true, pathFor: name => join(path, name) }
  if (operand.endsWith('/')) {
    if (status) throw new Refusal('ENOTDIR', `${operand}: not a directory`, { details: { path } })
    return { directory: true, pathFor: name => join(path, name), make: async () => { await mill.mkdir(path, { recursive: true, signal }) } }
  }
  if (several) {
    throw status
      ? new Refusal('ENOTDIR', `${operand}: not a directory, so several things cannot go there`, { details: { path } })
      : new Refusal('ENOENT', `${operand}: no such directory; write ${operand}/ to make it`, { details: { path } })
  }
  if (!status) await checkParent(mill, path, signal)
  return { directory: false, pathFor: () => path }
}

async function checkParent(mill: Mill, path: string, signal: AbortSignal): Promise<void> {
  const parent = parentOf(path)
  const above = await statusOrNone(mill, parent, signal)
  if (above?.type === 'directory') return
  if (above) throw new Refusal('ENOTDIR', `${path}: ${parent} is a file, not a directory`, { details: { path, parent } })
  throw new Refusal('ENOENT', `${path}: there is no directory ${parent}; make it with: gristmill mkdir -p ${shellWord(parent)}`, {
    details: { path, parent },
  })
}

/** As a shell reads it back. */
export const shellWord = (text: string): string => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`)

export async function localTarget(disk: Disk, operand: string, path: string, several: boolean): Promise<Target> {
  const existing = await disk.stat(path, { follow: true })
  const directory = existing?.kind === 'directory' || operand.endsWith('/')
  if (!directory && several)
    throw new Refusal(
      existing ? 'ENOTDIR' : 'ENOENT',
      `${operand}: not a directory, so several things cannot go there; write ${operand}/ to make it`,
    )
  if (!directory && !existing && dirname(path) !== '/' && !await disk.stat(dirname(path), { follow: true })) {
    throw new Refusal(
      'ENOENT',
      `${operand}: there is no local directory ${dirname(operand)}; make it with: mkdir -p ${shellWord(dirname(operand))}`,
      { details: { path: operand } },
    )
  }
  return {
    directory, pathFor: name => (directory ? `${path.replace(/\/+$/, '')}/${name}` : path),
    ...directory && !existing && { make: () => disk.mkdir(path, { mode: 0o777 }) },
  }
}

/** Makes the directory of the target once there is something to go there: a copy of nothing leaves nothing behind. */
export async function makeFor(target: Target, copies: readonly Placed[], canGo: (from: string) => Promise<boolean>): Promise<void> {
  if (!target.make) return
  for (const { from } of copies) if (await canGo(from)) return target.make()
}

/** What is there, and is no directory unless directories are copied. */
export const canCopy = (mill: Mill, recursive: boolean, signal: AbortSignal) => async (path: string): Promise<boolean> => {
  const status = await statusOrNone(mill, path, signal)
  return status?.type === 'file' || recursive && status !== undefined
}

export interface Placed { readonly from: string; readonly to: string }

/**
 * Where each source goes. `named` gives the name that a source keeps in a directory, and throws if it has none. What has no name, and the
 * second of two things that would get the same path, is complained of; the same thing twice goes once.
 */
export async function placed(
  context: CommandContext, sources: readonly string[], target: Target,
  named: (source: string) => string | Promise<string>,
): Promise<Placed[]> {
  const taken = new Map<string, string>()
  const copies: Placed[] = []
  await context.each(sources, async from => {
    const to = target.pathFor(target.directory ? await named(from) : '')
    const first = taken.get(to)
    if (first === from) return
    if (first !== undefined)
      throw new Refusal('EEXIST', `${from}: ${first} goes to ${to} already; give it another name`, {
        details: { path: from, first, dest: to },
      })
    taken.set(to, from)
    copies.push({ from, to })
  })
  return copies
}

/** The name that a thing of the cluster keeps when it goes into a directory. */
export function keptName(path: string): string {
  if (path === '/') throw rootless(path)
  return nameOf(path)
}

/** The name that a local thing keeps; `..`, `.` and the like are called what they lead to. */
export async function keptLocalName(disk: Disk, operand: string, path: string): Promise<string> {
  const name = basename(operand)
  if (name !== '' && name !== '.' && name !== '..') return name
  const found = await disk.stat(path, { follow: true })
  if (!found) throw new Refusal('ENOENT', `${operand}: no such file or directory`, { details: { path: operand } })
  const real = basename(found.path ?? path)
  if (real === '') throw rootless(operand)
  return real
}

const rootless = (operand: string): Refusal =>
  new Refusal('EINVAL', `${operand}: the root directory has no name of its own; name its entries (/*)`, { details: { path: operand } })

/** What a copy or a move cannot do, in the words of the command line, which knows the options that help. */
export function inWords(error: unknown, verb: 'put' | 'get' | 'copy' | 'move'): unknown {
  if (!(error instanceof GristmillError) || error instanceof Refusal) return error
  const { path, dest, real, source, why } = error.details as Record<string, string | undefined>
  const say = (message: string): Refusal => new Refusal(error.code, message, { cause: error, details: error.details })
  switch (why) {
    case 'missing': return say(`${path}: no such file or directory`)
    case 'dangling': return say(`${path}: a link to what is not there`)
    case 'encoding': return say(`${path}: the name is not UTF-8, which names in the cluster are; rename it`)
    case 'special': return say(`${path}: neither a file nor a directory; what it gives is put with: gristmill put - ${dest} < ${path}`)
    case 'circle': return say(`${path}: leads back to ${real}, which it lies in; left out`)
    case 'directory': return say(`${path}: is a directory; add -r to ${verb} it with all that is below`)
    case 'inside': return say(`${path}: cannot be ${verb === 'move' ? 'moved' : 'copied'} into itself (${dest})`)
    case 'same': return say(`${path}: is the same file`)
  }
  if (hasCode(error, 'EEXIST') && path !== undefined) return say(`${path}: file exists; add -f to replace it`)
  if (hasCode(error, 'EISDIR') && path !== undefined && source !== undefined) return say(`${path}: is a directory, and ${source} is a file`)
  return error
}
