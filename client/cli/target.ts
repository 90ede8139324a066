// Destination rules of put, get, cp and mv, such as `put a b dir/`, `mv a b`, `cp -r x y`. The last operand is a directory if it
// ends in / or is an existing directory, and must be one for several sources; otherwise it is the new name itself, whose parent
// must exist.
// Invariant: two sources never get the same destination, where the second would replace the first.

import { basename, dirname } from 'node:path'
import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { endsAsDirectory, join, nameOf, normalise, parentOf } from '../../src/base/paths.ts'
import { showText } from '../../src/base/quote.ts'
import { withoutEnd } from '../../src/base/withoutend.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { Mill } from '../mill.ts'
import { Refusal } from './errors.ts'
import type { CommandContext } from './context.ts'
import { statusOrNone } from './tree.ts'

interface Target {
  /** Destination path of a source with this name. */
  pathFor(name: string): string
  readonly directory: boolean
  /** Creates the directory that a trailing slash names, if it is missing; undefined if there is nothing to create. */
  readonly make?: (() => Promise<void>) | undefined
}

/** A trailing slash names a directory, which `make` creates. Throws ENOENT if the parent of a new name is missing. */
export async function remoteTarget(mill: Mill, operand: string, several: boolean, signal: AbortSignal): Promise<Target> {
  const path = normalise(operand)
  const status = await statusOrNone(mill, path, signal)
  if (status?.type === 'directory') return { directory: true, pathFor: name => join(path, name) }
  if (endsAsDirectory(operand)) {
    if (status) throw new Refusal('ENOTDIR', `${operand}: not a directory`, { details: { path } })
    return { directory: true, pathFor: name => join(path, name), make: async () => { await mill.mkdir(path, { recursive: true, signal }) } }
  }
  if (several) {
    throw status
      ? new Refusal('ENOTDIR', `${operand}: not a directory, and there are several sources`, { details: { path } })
      : new Refusal('ENOENT', `${operand}: no such directory; write ${operand}/ to create it`, { details: { path } })
  }
  if (!status) await checkParent(mill, path, signal)
  return { directory: false, pathFor: () => path }
}

async function checkParent(mill: Mill, path: string, signal: AbortSignal): Promise<void> {
  const parent = parentOf(path)
  const above = await statusOrNone(mill, parent, signal)
  if (above?.type === 'directory') return
  if (above) throw new Refusal('ENOTDIR', `${path}: ${parent} is a file, not a directory`, { details: { path, parent } })
  throw new Refusal('ENOENT', `${path}: the directory ${parent} does not exist; create it with: gristmill mkdir -p ${shellWord(parent)}`, {
    details: { path, parent },
  })
}

/** Quoted for a shell. */
export const shellWord = (text: string): string => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`)

/** Throws ENOENT if the directory of a new local file is missing. */
export async function checkLocalParent(disk: Disk, operand: string, path: string): Promise<void> {
  if (dirname(path) === '/' || await disk.stat(dirname(path), { follow: true })) return
  throw new Refusal(
    'ENOENT',
    `${operand}: the local directory ${dirname(operand)} does not exist; create it with: mkdir -p ${shellWord(dirname(operand))}`,
    { details: { path: operand } },
  )
}

export async function localTarget(disk: Disk, operand: string, path: string, several: boolean): Promise<Target> {
  const existing = await disk.stat(path, { follow: true })
  const directory = existing?.kind === 'directory' || endsAsDirectory(operand)
  if (!directory && several)
    throw new Refusal(
      existing ? 'ENOTDIR' : 'ENOENT',
      `${operand}: not a directory, and there are several sources; write ${operand}/ to create it`,
    )
  if (!directory && !existing) await checkLocalParent(disk, operand, path)
  return {
    directory, pathFor: name => (directory ? `${withoutEnd(path, '/')}/${name}` : path),
    ...directory && !existing && { make: () => disk.mkdir(path, { mode: 0o777 }) },
  }
}

/** Creates the directory of the target once there is a source to copy, so that a copy of nothing leaves nothing behind. */
export async function makeFor(target: Target, copies: readonly Placed[], canGo: (from: string) => Promise<boolean>): Promise<void> {
  if (!target.make) return
  for (const { from } of copies) if (await canGo(from)) return target.make()
}

/** True for an existing file, and with `recursive` for an existing directory. */
export const canCopy = (mill: Mill, recursive: boolean, signal: AbortSignal) => async (path: string): Promise<boolean> => {
  const status = await statusOrNone(mill, path, signal)
  return status?.type === 'file' || recursive && status !== undefined
}

export interface Placed { readonly from: string; readonly to: string }

/**
 * Destination of each source. `named` gives the name that a source keeps in a directory, and throws if it has none. A source
 * without a name, and a second source for one destination, are reported as failed; a repeated source is copied once.
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
      throw new Refusal('EEXIST', `${from}: its destination ${to} is taken by ${first}; give it another name`, {
        details: { path: from, first, dest: to },
      })
    taken.set(to, from)
    copies.push({ from, to })
  })
  return copies
}

/**
 * Notes each directory that is copied into a directory of its own name, as `put -r a /a` does when /a exists: a second copy beside the
 * files of the first, where more often those were to be brought up to date.
 */
export async function noteNested(
  context: CommandContext, command: 'put' | 'get' | 'cp', { operand, target, copies }: {
    readonly operand: string; readonly target: Target; readonly copies: readonly Placed[]
  }, isDirectory: (from: string) => Promise<boolean>,
): Promise<void> {
  const name = basename(operand)
  if (!target.directory) return
  const above = command === 'get' ? dirname(operand) : parentOf(normalise(operand))
  for (const { from, to } of copies) {
    if (basename(to) !== name || !await isDirectory(from)) continue
    const at = showText(`${withoutEnd(operand, '/')}/${name}`)
    const again = `gristmill ${command} -rf ${shellWord(from)} ${shellWord(above)}`
    context.note(
      `${showText(from)} is copied into the directory ${showText(operand)}, as ${at}; `
      + `to copy its files over those of ${showText(operand)}: ${again}`,
    )
  }
}

/** Name that a path of the cluster keeps in a directory. */
export function keptName(path: string): string {
  if (path === '/') throw rootless(path)
  return nameOf(path)
}

/** Name that a local path keeps in a directory; for `..`, `.` and the like the name of the real directory. */
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

/** Error message of a failed copy or move, with the command line options that help. */
export function inWords(error: unknown, verb: 'put' | 'get' | 'copy' | 'move'): unknown {
  if (!(error instanceof GristmillError) || error instanceof Refusal) return error
  const { path, dest, real, source, why } = error.details as Record<string, string | undefined>
  const say = (message: string): Refusal => new Refusal(error.code, message, { cause: error, details: error.details })
  switch (why) {
    case 'missing': return say(`${path}: no such file or directory`)
    case 'dangling': return say(`${path}: dangling symbolic link`)
    case 'encoding': return say(`${path}: the name is not UTF-8, which names in the cluster are; rename it`)
    case 'special': return say(`${path}: neither a file nor a directory; to store its output: gristmill put - ${dest} < ${path}`)
    case 'circle': return say(`${path}: symbolic link to a directory that contains it (${real}); skipped`)
    case 'directory': return say(`${path}: is a directory; add -r to ${verb} it recursively`)
    case 'inside': return say(`${path}: cannot be ${verb === 'move' ? 'moved' : 'copied'} into itself (${dest})`)
    case 'same': return say(`${path}: is the same file`)
  }
  if (hasCode(error, 'EEXIST') && path !== undefined) return say(`${path}: file exists; add -f to replace it`)
  if (hasCode(error, 'EISDIR') && path !== undefined && source !== undefined) return say(`${path}: is a directory, and ${source} is a file`)
  return error
}
