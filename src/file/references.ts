// Reads references (src/base/reference.ts): files that stand for files outside of the cluster. Each is opened once by a client.

import { GristmillError } from '../base/errors.ts'
import type { InodeId } from '../base/ids.ts'
import { referenceAttribute, stagesDirectory } from '../base/reference.ts'
import { KiB } from '../base/units.ts'
import type { OpenOutside, OutsideFile } from '../ports/outside.ts'
import type { SmallObjects } from './objects.ts'
import type { LocatedFile, Locator, ReadOptions } from './read.ts'

interface ReferencesDeps {
  readonly locator: Locator
  readonly objects: SmallObjects
  readonly open: OpenOutside | undefined
}

/** Files that are kept open: each has an address and, of S3, a key. */
const keptMax = 1_000
/** As of files of the cluster. */
const pieceBytesMax = 256 * KiB

export class References {
  readonly #deps: ReferencesDeps
  readonly #opened = new Map<InodeId, { readonly path: string; readonly file: OutsideFile }>()

  constructor(deps: ReferencesDeps) { this.#deps = deps }

  /** The file for which the one at the path stands. Throws CORRUPT for a file that stands for none: it is no input. */
  async locate(path: string, signal?: AbortSignal): Promise<LocatedFile> {
    const { locator, objects } = this.#deps
    const { status, attributes } = await objects.read({ path, attributes: [referenceAttribute] }, signal)
    if (status.type !== 'file') return locator.locate(path, { signal })
    const found = attributes.find(({ name }) => name === referenceAttribute)
    if (!found) throw noReference(path)
    const outside = await this.#open(status.id, Buffer.from(found.value, 'base64').toString(), path)
    return { status: { ...status, length: outside.bytes }, blocks: [], outside }
  }

  async * read(file: string | LocatedFile, options: ReadOptions): AsyncGenerator<Buffer, void, void> {
    const { outside, status } = typeof file === 'string' ? options.located ?? await this.locate(file, options.signal) : file
    if (!outside) throw noReference(status.path)
    const { start = 0, end = outside.bytes, signal } = options
    for await (const piece of outside.read(start, end, signal))
      for (let at = 0; at < piece.length; at += pieceBytesMax)
        yield Buffer.from(piece.buffer, piece.byteOffset + at, Math.min(pieceBytesMax, piece.length - at))
  }

  /** The text with the addresses of files in place of the paths of their references. */
  named(text: string): string {
    if (!text.includes(stagesDirectory)) return text
    // A path may begin with another one.
    const named = [...this.#opened.values()].filter(({ path }) => text.includes(path)).sort((a, b) => b.path.length - a.path.length)
    return named.reduce((told, { path, file }) => told.replaceAll(path, () => file.shown), text)
  }

  async #open(id: InodeId, reference: string, path: string): Promise<OutsideFile> {
    const { open } = this.#deps
    if (!open)
      throw new GristmillError('CONFIG_INVALID', `${path} stands for a file outside of the cluster, which this process cannot reach`)
    const known = this.#opened.get(id)
    if (known) return known.file
    const opened = await open(reference, path)
    this.#opened.set(id, { path, file: opened })
    for (const oldest of this.#opened.keys()) {
      if (this.#opened.size <= keptMax) break
      this.#opened.delete(oldest)
    }
    return opened
  }
}

/** One for planners and readers: what one of them would take for an input, the other one must not refuse or read otherwise. */
export const noReference = (path: string): GristmillError => new GristmillError(
  'CORRUPT', `${path} stands for no file outside of the cluster, though it lies where such files do; remove it, and read the place again`,
  { details: { path } },
)
