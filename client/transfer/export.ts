// Export: files of the cluster go to an outside sink, under the contract of src/connector. The token of the commit names the content:
// paths, numbers, lengths and times of the files. An export that was killed, and is begun again, has the same token; it finds what is
// committed, and drops and sends again what was only staged.

import { createHash } from 'node:crypto'
import { GristmillError } from '../../src/base/errors.ts'
import type { ClusterId } from '../../src/base/ids.ts'
import { nameOf } from '../../src/base/paths.ts'
import { Semaphore } from '../../src/base/queue.ts'
import { StageAgain, type FilePart, type OutsideLog, type OutsideSink } from '../../src/connector/connector.ts'
import type { FileClient } from '../../src/file/client.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import type { Transferred } from './import.ts'

export interface ExportDeps {
  readonly cluster: ClusterId
  readonly files: Pick<FileClient, 'locate' | 'read'>
  /** All files below a directory. */
  readonly list: (path: string, signal: AbortSignal | undefined) => AsyncIterable<FileStatus>
}

interface Exporting {
  readonly sink: OutsideSink<FilePart, Uint8Array, unknown>
  /** A file, or a directory, whose files keep their paths below it. */
  readonly from: FileStatus
  /** Name of the only file at the destination; default: its own. */
  readonly as?: string | undefined
  /** Files of a directory that are exported, by their names; default: all. */
  readonly takes?: ((name: string) => boolean) | undefined
  readonly overwrite: boolean
  /** The files were made for this export, and are removed when it ends: if it fails, no later one goes on from there. */
  readonly isOnce?: boolean | undefined
  readonly parallel: number
  readonly onProgress?: ((bytes: number) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

interface Appending extends Pick<Exporting, 'from' | 'takes' | 'onProgress' | 'signal'> {
  readonly log: OutsideLog<FilePart, Uint8Array>
  /** Names the destination and the form of what is written there, in the token. */
  readonly identity: string
}

/** Appends the rows of the files to a log. */
export async function exportRows(deps: ExportDeps, appending: Appending): Promise<Transferred> {
  const { log, identity, signal, onProgress } = appending
  const parts = await partsOf(deps, appending)
  let bytes = 0
  const content = (part: FilePart) => contentOf(deps, part as Part, count => {
    bytes += count
    onProgress?.(bytes)
  }, signal)
  const { unchanged } = await log.write(tokenOf(deps.cluster, identity, parts), parts, content, signal)
  return { files: parts.length, bytes: unchanged ? 0 : bytes, unchanged: unchanged ? parts.length : 0 }
}

interface Part extends FilePart { readonly status: FileStatus }

export async function exportFiles(deps: ExportDeps, exporting: Exporting): Promise<Transferred> {
  const { sink, overwrite, isOnce = false, signal } = exporting
  const parts = await partsOf(deps, exporting)
  const token = tokenOf(deps.cluster, sink.shown, parts)
  const before = await sink.committed(token, signal)
  if (before?.token === token) return { files: parts.length, bytes: 0, unchanged: parts.length }
  if (before && sink.isGuarded && !overwrite)
    throw new GristmillError('EEXIST', `${sink.shown} has other content already; give overwrite to replace it`, {
      details: { destination: sink.shown },
    })
  await sink.sweep(token, parts, signal)
  let staged: readonly unknown[] = []
  const moved = async (): Promise<Transferred> => {
    const { receipts, bytes } = await stageAll(deps, exporting, token, parts)
    staged = receipts
    // From here on nothing is aborted: what a failed commit has made visible belongs to this token, and the next try completes it.
    await sink.commit(token, receipts, before, signal)
    return { files: parts.length, bytes, unchanged: 0 }
  }
  try {
    return await moved().catch((error: unknown) => {
      if (error instanceof StageAgain) return moved()
      throw error
    })
  } catch (error) {
    if (isOnce) await sink.discard(token, staged)
    throw error
  }
}

const partOf = (name: string, status: FileStatus): Part => ({ name, bytes: status.length, header: status.header, status })

/** Files in the order of their names. */
async function partsOf(
  { list }: ExportDeps, { from, as, takes = () => true, signal }: Pick<Exporting, 'from' | 'as' | 'takes' | 'signal'>,
): Promise<Part[]> {
  if (from.type === 'file') return [partOf(as ?? nameOf(from.path), from)]
  const parts: Part[] = []
  const root = from.path === '/' ? '/' : `${from.path}/`
  for await (const status of list(from.path, signal)) {
    const name = status.path.slice(root.length)
    if (takes(name)) parts.push(partOf(name, status))
  }
  if (parts.length === 0) throw new GristmillError('ENOENT', `there is no file below ${from.path}`, { details: { path: from.path } })
  return parts.sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Files are written once: number, length and time name their content. */
function tokenOf(cluster: ClusterId, shown: string, parts: readonly Part[]): string {
  const hash = createHash('sha256').update(JSON.stringify([cluster, shown]))
  for (const { name, bytes, status: { id, mtimeMs } } of parts) hash.update(JSON.stringify([name, bytes, id, mtimeMs]))
  return hash.digest('hex')
}

async function stageAll(
  deps: ExportDeps, { sink, parallel, signal, onProgress }: Exporting, token: string, parts: readonly Part[],
): Promise<{ receipts: unknown[]; bytes: number }> {
  const ending = new AbortController()
  const both = signal ? AbortSignal.any([signal, ending.signal]) : ending.signal
  const slots = new Semaphore(parallel)
  let bytes = 0
  const moved = (count: number): void => {
    bytes += count
    onProgress?.(bytes)
  }
  const staged = await Promise.allSettled(parts.map(async part => {
    const release = await slots.acquire()
    try {
      both.throwIfAborted()
      return await sink.stage(token, part, contentOf(deps, part, moved, both), both)
    } catch (error) {
      ending.abort(error)
      throw error
    } finally {
      release()
    }
  }))
  const receipts = staged.flatMap(each => (each.status === 'fulfilled' ? [each.value] : []))
  if (receipts.length === parts.length) return { receipts, bytes }
  await sink.abort(receipts)
  throw ending.signal.reason
}

/** Throws ESTALE if the path is another file by now. */
async function* contentOf(
  { files }: ExportDeps, { status: { path, id, length } }: Part, moved: (bytes: number) => void, signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const located = await files.locate(path, signal ? { signal } : {})
  if (located.status.id !== id || located.status.length !== length)
    throw new GristmillError('ESTALE', `${path} has changed since the export began; begin again`, { details: { path } })
  for await (const piece of files.read(located, signal ? { signal } : {})) {
    yield piece
    moved(piece.length)
  }
}
