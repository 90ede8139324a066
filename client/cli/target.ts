// Where things go: `put a b dir/`, `mv a b`, `cp -r x y`. The last operand is a directory if it ends in / or is one already,
// and must be one when several things go there; otherwise it is the new name itself.

import { join, nameOf, normalise } from '../../src/base/paths.ts'
import type { Mill } from '../mill.ts'
import { Refusal } from './complaint.ts'
import type { Context } from './context.ts'
import { statusOrNone } from './tree.ts'

export interface Target {
  /** The path that a thing called `name` gets. */
  pathFor(name: string): string
  readonly directory: boolean
}

/** A trailing slash makes the directory if it is missing. */
export async function remoteTarget(mill: Mill, operand: string, several: boolean, signal: AbortSignal): Promise<Target> {
  const path = normalise(operand)
  const status = await statusOrNone(mill, path, signal)
  if (status?.type === 'directory') return { directory: true, pathFor: name => join(path, name) }
  if (operand.endsWith('/')) {
    if (status) throw new Refusal('ENOTDIR', `${operand}: not a directory`, { details: { path } })
    await mill.mkdir(path, { recursive: true, signal })
    return { directory: true, pathFor: name => join(path, name) }
  }
  if (several) {
    throw status
      ? new Refusal('ENOTDIR', `${operand}: not a directory, so several things cannot go there`, { details: { path } })
      : new Refusal('ENOENT', `${operand}: no such directory; write ${operand}/ to make it`, { details: { path } })
  }
  return { directory: false, pathFor: () => path }
}

/** Copies to one place: of two things that would get the same name there, the second is complained of; the same thing twice goes once. */
export function apart<C extends { readonly from: string; readonly to: string }>(context: Context, copies: readonly C[]): C[] {
  const taken = new Map<string, string>()
  return copies.filter(({ from, to }) => {
    const first = taken.get(to)
    if (first === undefined) taken.set(to, from)
    else if (first !== from) context.giveUpOn(from, new Refusal('EEXIST', `${from}: ${first} goes to ${to} already; give it another name`))
    return first === undefined
  })
}

/** The name that a remote thing keeps when it goes into a directory. */
export function keptName(path: string): string {
  if (path === '/') throw new Refusal('EINVAL', '/: the root directory has no name of its own; name its entries (/*)', { details: { path } })
  return nameOf(path)
}
