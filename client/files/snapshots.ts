// Directories as they were: `mill.snapshots`. A snapshot is taken at once, whatever the size of its directory, and is read
// below PATH/.snapshot/NAME by everything that reads. What changed between two is found by walking through both.

import { join, normalise } from '../../src/base/paths.ts'
import type { ReplyOf } from '../../src/protocol/message.ts'
import * as protocol from '../../src/protocol/snapshot.ts'
import type { Snapshot } from '../../src/protocol/snapshot.ts'
import type { Ask } from '../jobs/ask.ts'
import { during } from './describe.ts'
import { differences, type Difference } from './diff.ts'
import type { CallOptions, Names } from './names.ts'

export const snapshotPath = (directory: string, name: string): string => join(join(directory, '.snapshot'), name)

export class Snapshots {
  readonly #names: Names
  readonly #ask: Ask

  constructor(names: Names, ask: Ask) {
    this.#names = names
    this.#ask = ask
  }

  /** Takes one of a directory that is the caller's own; named after the time unless told. Throws EEXIST, ENOENT, ENOTDIR, EACCES. */
  create(path: string, name?: string, { signal }: CallOptions = {}): Promise<Snapshot> {
    return during('snapshot', path, async () => this.#ask(protocol.create, { path: normalise(path), ...name !== undefined && { name } }, signal))
  }

  /** Those of one directory, the oldest first; without a path all there are (EACCES unless superuser). */
  async *list(path?: string, { signal }: CallOptions = {}): AsyncGenerator<Snapshot, void, undefined> {
    let after: string | undefined
    do {
      const page: ReplyOf<typeof protocol.list> = await during('snapshots', path ?? '/', async () =>
        this.#ask(protocol.list, { ...path !== undefined && { path: normalise(path) }, ...after !== undefined && { after } }, signal))
      yield* page.snapshots
      after = page.next
    } while (after !== undefined)
  }

  /** Removes one; what only it held is given back in the background. Throws ENOENT, EACCES. */
  rm(path: string, name: string, { signal }: CallOptions = {}): Promise<void> {
    return during('snapshot', path, async () => { await this.#ask(protocol.remove, { path: normalise(path), name }, signal) })
  }

  /**
   * What was created, deleted, modified and renamed from the snapshot `from` to the snapshot `to`, or until now; paths are relative to
   * the directory. Both are walked through, side by side; what is kept in memory is what differs.
   */
  async *diff(path: string, from: string, to?: string, { signal }: CallOptions = {}): AsyncGenerator<Difference, void, undefined> {
    const directory = normalise(path)
    // Names that are missing are an error, not a difference.
    const tops = [snapshotPath(directory, from), to === undefined ? directory : snapshotPath(directory, to)] as const
    for (const top of tops) await this.#names.status(top, { signal })
    yield* differences(tops[0], tops[1], at => this.#names.list(at, { signal }))
  }
}
