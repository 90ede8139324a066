// References to the files of a place, by which the tasks of a job read them where they are (src/base/reference.ts). All are pinned before
// the first task begins.

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { join } from '../../src/base/paths.ts'
import { Semaphore } from '../../src/base/queue.ts'
import { referenceAttribute } from '../../src/base/reference.ts'
import { isResumable, type FilePin } from '../../src/connector/connector.ts'
import { referenceTo } from '../../src/connector/reference.ts'
import type { Vault } from '../../src/rpc/vault.ts'
import type { Objects } from '../files/objects.ts'
import { checkedName } from './import.ts'
import { treeOf, type OutsideDeps, type OutsideTree } from './transfer.ts'

interface ReferDeps extends OutsideDeps {
  readonly objects: Pick<Objects, 'put'>
  readonly vault: Pick<Vault, 'seal'>
}

/** References that are stored at the same time. */
const writesMax = 64

/**
 * Makes references below the directory. `path`: of the one file, or the directory. undefined, and nothing is made: the server of the file
 * gives no ranges, though it may say so, or no strong ETag. Throws ENOENT, also if there is no object
 * below the prefix.
 */
export async function referFiles(
  deps: ReferDeps, url: string, { directory, signal }: { readonly directory: string; readonly signal: AbortSignal | undefined },
): Promise<{ readonly path: string } | undefined> {
  const tree = await treeOf(deps, url)
  const { source, isTree } = tree
  const gate = new Semaphore(writesMax)
  const writes = new Set<Promise<unknown>>()
  const failures: unknown[] = []
  let path: string | undefined
  try {
    for await (const pin of source.pin(signal)) {
      // A time of change has a second, in which a file is written again; tasks that read both would give a mixture.
      if (!isResumable(pin) || pin.etag === undefined) return undefined
      if (!isTree && !await givesRanges(source, { pin, signal })) return undefined
      const at = path = join(directory, isTree ? checkedName(pin) : pin.name === '' ? 'file' : pin.name)
      const release = await gate.acquire()
      if (failures.length > 0) {
        release()
        break
      }
      const write = referOne(deps, at, { pin, tree, signal }).catch((error: unknown) => { failures.push(error) }).finally(() => {
        release()
        writes.delete(write)
      })
      writes.add(write)
    }
  } finally {
    await Promise.all(writes)
  }
  if (failures.length > 0) throw failures[0]
  if (path === undefined) throw new GristmillError('ENOENT', `${source.shown}: there is no object below this prefix`)
  return { path: isTree ? directory : path }
}

/** Tries it: some servers say that they give ranges, and answer with the whole file or another range. */
async function givesRanges(
  source: OutsideTree['source'], { pin, signal }: { readonly pin: FilePin; readonly signal: AbortSignal | undefined },
): Promise<boolean> {
  const bytes = pin.bytes ?? 0
  if (bytes < 2) return true
  try {
    for await (const piece of source.read({ pin, start: bytes - 1, end: bytes }, 0, signal)) if (piece.length !== 1) return false
    return true
  } catch (error) {
    if (hasCode(error, 'ESTALE')) return false
    throw error
  }
}

interface Referring { readonly pin: FilePin; readonly tree: OutsideTree; readonly signal: AbortSignal | undefined }

async function referOne({ objects, vault }: ReferDeps, path: string, { pin, tree: { access }, signal }: Referring): Promise<void> {
  const reference = referenceTo(path, { pin, ...access && { access } }, vault)
  await objects.put(path, new Uint8Array(0), { parents: true, attributes: { [referenceAttribute]: reference }, signal })
}
