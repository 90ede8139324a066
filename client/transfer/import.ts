// Import: files of an outside source become files of the cluster. Each file appears whole, with the address and the version of its source
// as attributes, in one transaction; so an import that was killed goes on where it was: files that are there already are not read again.

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { formatOfName, type RecordFormat } from '../../src/base/formats.ts'
import { limits } from '../../src/base/limits.ts'
import { join } from '../../src/base/paths.ts'
import { Semaphore } from '../../src/base/queue.ts'
import { MiB } from '../../src/base/units.ts'
import { checked } from '../../src/connector/checksum.ts'
import type { FileSum, FilePin, OutsideFiles } from '../../src/connector/connector.ts'
import { pull } from '../../src/connector/pull.ts'
import type { AskDeps } from '../../src/connector/ask.ts'
import type { Objects } from '../files/objects.ts'
import { sourceAttribute } from '../files/outsidecopy.ts'

export interface ImportDeps extends AskDeps { readonly objects: Objects }

interface Importing {
  readonly source: OutsideFiles
  /** Path of the file; with `isTree`, of the directory that gets the files. */
  readonly path: string
  readonly isTree: boolean
  readonly overwrite: boolean
  readonly parallel: number
  readonly sums: readonly FileSum[]
  readonly format?: RecordFormat | undefined
  readonly delimiter?: string | undefined
  readonly replication?: number | undefined
  readonly blockSize?: number | undefined
  /** Called as bytes come: those of all files so far. */
  readonly onProgress?: ((bytes: number) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

export interface Transferred {
  /** Files that are at the destination now. */
  readonly files: number
  /** Bytes that were moved. */
  readonly bytes: number
  /** Files among `files` that were there already, and were not moved. */
  readonly unchanged: number
  /** Line that says what is missing beside the files: lineage does not name the place. */
  readonly note?: string
}

/** Attribute of a file that was imported, beside that of its address. */
const versionAttribute = 'user.source.version'

/** Requests of each file of a tree, of which several are read at a time; a single file gets all of them. */
const treeRanges = 2
/** A file of this length is mostly a wait for its server and for the namenode: of those more are read at a time. */
const smallBytesMax = 1 * MiB
const smallTimes = 4

export async function importFiles(deps: ImportDeps, importing: Importing): Promise<Transferred> {
  const { source, path, isTree, parallel, signal } = importing
  const ending = new AbortController()
  const both = signal ? AbortSignal.any([signal, ending.signal]) : ending.signal
  const slots = { small: new Semaphore(parallel * smallTimes), large: new Semaphore(parallel) }
  const total = { files: 0, bytes: 0, unchanged: 0 }
  const running = new Set<Promise<void>>()
  const failures: unknown[] = []
  try {
    for await (const pin of source.pin(both)) {
      const target = isTree ? join(path, checkedName(pin)) : path
      const release = await slots[isTree && pin.bytes !== undefined && pin.bytes <= smallBytesMax ? 'small' : 'large'].acquire()
      if (failures.length > 0) {
        release()
        break
      }
      const work = importOne(deps, pin, target, { ...importing, signal: both, moved: bytes => {
        total.bytes += bytes
        importing.onProgress?.(total.bytes)
      } }).then(isNew => {
        total.files++
        if (!isNew) total.unchanged++
      }).catch((error: unknown) => {
        failures.push(error)
        ending.abort(new GristmillError('ABORTED', 'another file could not be imported'))
      }).finally(() => {
        release()
        running.delete(work)
      })
      running.add(work)
    }
  } catch (error) {
    failures.push(error)
    ending.abort(error)
  }
  await Promise.all(running)
  await source.close?.()
  if (failures.length > 0) throw failures[0]
  if (isTree && total.files === 0) throw new GristmillError('ENOENT', `${source.shown}: there is no object below this prefix`)
  return total
}

/** False: the file is there already. */
async function importOne(
  deps: ImportDeps, pin: FilePin, path: string, { moved, ...importing }: Importing & { readonly moved: (bytes: number) => void },
): Promise<boolean> {
  const { source, isTree, overwrite, parallel, sums, signal, format = formatOfName(path), delimiter, replication, blockSize } = importing
  const version = pin.etag ?? pin.weak ?? pin.modified
  const before = await find(deps.objects, path, signal)
  if (before) {
    // A weak ETag or a time may stay while the bytes change: who asks to overwrite gets what is there now.
    const isProof = pin.etag !== undefined || pin.isExact || !overwrite
    const isSame = version !== undefined && before.attributes[versionAttribute] === version && isProof
      && before.attributes[sourceAttribute] === pin.url && (pin.isExact || before.status.length === pin.bytes) && sums.length === 0
    if (isSame) return false
    if (before.status.type === 'directory') throw new GristmillError('EISDIR', `${path} is a directory`, { details: { path } })
    if (!overwrite) throw new GristmillError('EEXIST', `${path} exists`, { details: { path } })
  }
  const blocks = { format, delimiter, replication, blockSize }
  const writer = await deps.objects.open({ bytes: pin.bytes, ...blocks, signal })
  let bytes = 0
  try {
    const pieces = pull(deps, source, pin, { parallel: isTree ? Math.min(parallel, treeRanges) : parallel, signal })
    for await (const piece of checked(pieces, [...pin.sums, ...sums], pin.url)) {
      await writer.write(piece)
      bytes += piece.length
      moved(piece.length)
    }
    if (pin.bytes !== undefined && bytes !== pin.bytes)
      throw new GristmillError('CORRUPT', `${pin.url} has ${pin.bytes} bytes, and ${bytes} came; nothing was stored`)
    await writer.publish(path, {
      parents: true, expect: before ? { id: before.status.id } : { absent: true },
      attributes: { [sourceAttribute]: pin.url, ...version !== undefined && { [versionAttribute]: version } },
    })
    return true
  } catch (error) {
    await writer.abort()
    throw error
  }
}

async function find(objects: Objects, path: string, signal: AbortSignal | undefined) {
  try {
    return await objects.get(path, { attributes: [sourceAttribute, versionAttribute], signal })
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

/** A name that is a path of the cluster as it is. Keys of S3 may have empty parts and `..`, which would lead elsewhere. */
export function checkedName({ name, url }: FilePin): string {
  const isPath = name.split('/').every(part =>
    part !== '' && part !== '.' && part !== '..' && !part.includes('\0') && Buffer.byteLength(part) <= limits.nameBytesMax)
  if (isPath && name.isWellFormed()) return name
  throw new GristmillError('EINVAL', `${url}: its key is not a path that the cluster can have; import it alone, under another name`)
}
