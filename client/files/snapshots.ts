// `mill.snapshots`: read-only views of directories at earlier times. Creating one takes constant time, whatever the size of the
// directory; every read operation works below PATH/.snapshot/NAME. Differences are found by walking both versions.

import { aclText } from '../../src/base/acl.ts'
import { join } from '../../src/base/paths.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import * as protocol from '../../src/protocol/snapshot.ts'
import type { Snapshot } from '../../src/protocol/snapshot.ts'
import type { CallMessage } from '../call/cluster.ts'
import { callOptions, pathOf, textOf, type CallOptions, type Path } from '../call/arguments.ts'
import { paged } from '../call/pages.ts'
import { during, perform } from '../call/perform.ts'
import type { Acls } from './acls.ts'
import { differences, type Difference } from './diff.ts'

export const snapshotPath = (directory: string, name: string): string => join(join(directory, '.snapshot'), name)

/** Reads a directory, also below `.snapshot`. */
interface Reading {
  status(path: string, options: CallOptions): Promise<FileStatus>
  list(path: string, options: CallOptions): AsyncIterable<FileStatus>
  readonly acls: Pick<Acls, 'get'>
}

export class Snapshots {
  readonly #names: Reading
  readonly #ask: CallMessage

  constructor(names: Reading, ask: CallMessage) {
    this.#names = names
    this.#ask = ask
  }

  /**
   * Creates a snapshot of a directory that the caller owns; default name: the current time. An aborted call removes a snapshot
   * whose generated name the caller never learnt. Throws EEXIST, ENOENT, ENOTDIR, EACCES.
   */
  create(path: Path, name?: string | null, options?: CallOptions | null): Promise<Snapshot> {
    return perform('snapshot', path, callOptions('create', options), async ({ signal }) => {
      const directory = pathOf(path)
      const named = name ?? undefined
      const request = { path: directory, ...named !== undefined && { name: textOf(named, 'name of the snapshot') } }
      const undo =
        named === undefined ? ({ name: given }: Snapshot) => this.#ask(protocol.remove, { path: directory, name: given }) : undefined
      return this.#ask(protocol.create, request, signal, undo)
    })
  }

  /** Lists the snapshots of one directory, oldest first; without a path all of the cluster (EACCES unless superuser). */
  async *list(path?: Path | null, options?: CallOptions | null): AsyncGenerator<Snapshot, void, undefined> {
    const [directory, { signal }] = await during(
      'snapshots', path ?? '/',
      async () => [path === undefined || path === null ? undefined : pathOf(path), callOptions('list', options)()] as const,
    )
    const ask = (after?: string) =>
      this.#ask(protocol.list, { ...(directory !== undefined && { path: directory }), ...(after !== undefined && { after }) }, signal)
    for await (const page of paged((after?: string) => during('snapshots', path ?? '/', () => ask(after), signal))) yield* page.snapshots
  }

  /** Removes a snapshot; space that only it used is freed in the background. Throws ENOENT, EACCES. */
  rm(path: Path, name: string, options?: CallOptions | null): Promise<void> {
    return perform('snapshot', path, callOptions('rm', options), async ({ signal }) => {
      await this.#ask(protocol.remove, { path: pathOf(path), name: textOf(name, 'name of the snapshot') }, signal)
    })
  }

  /**
   * Entries created, deleted, modified and renamed from the snapshot `from` to the snapshot `to`, or to now; paths are relative to
   * the directory. Both versions are walked side by side; memory holds only the differences.
   */
  async *diff(path: Path, from: string, to?: string | null, options?: CallOptions | null): AsyncGenerator<Difference, void, undefined> {
    const [tops, { signal }] = await during('snapshot', path, async () => {
      const directory = pathOf(path)
      const before = snapshotPath(directory, textOf(from, 'name of the older snapshot'))
      const after = to === undefined || to === null ? directory : snapshotPath(directory, textOf(to, 'name of the newer snapshot'))
      return [[before, after], callOptions('diff', options)()] as const
    })
    // A missing snapshot is an error, not a difference.
    const [before, after] = [await this.#names.status(tops[0], { signal }), await this.#names.status(tops[1], { signal })]
    yield* differences({
      tops: [before, after], list: at => this.#names.list(at, { signal }),
      aclOf: async at => (await this.#names.acls.get(at, { signal })).extended.map(aclText).join(','),
    })
  }
}
