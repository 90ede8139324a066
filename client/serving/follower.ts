// Keeps the current version of a store open: looks at its path, copies the files of a new version to this machine, and switches to it in
// one step. A version that cannot be opened is not served: the one before stays, and the state says why. Files are named by their numbers
// in the cluster, so that a rollback finds those that are here already.
// INVARIANT: files of versions that are not kept are removed only when no open store uses them.

import { asError, GristmillError, hasCode } from '../../src/base/errors.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { Log } from '../../src/ports/log.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import { KeyValueStore, type StoreVersion } from './store.ts'
import { KeyValueTable } from './table.ts'

interface FollowerDeps {
  readonly disk: Disk
  readonly clock: Pick<Clock, 'sleep' | 'now' | 'yield'>
  readonly log: Log
  readonly files: {
    status(path: string, options: { signal: AbortSignal }): Promise<FileStatus>
    list(path: string, options: { signal: AbortSignal }): AsyncIterable<FileStatus>
    get(path: string, local: string, options: { overwrite: boolean; signal: AbortSignal }): Promise<unknown>
  }
}

interface FollowerOptions {
  readonly path: string
  /** Local directory of its own, for copies of files. */
  readonly directory: string
  /** Time between two looks at the path; default: a second. */
  readonly lookMs?: number | undefined
  /** Versions whose files stay on this machine, the current one included; default: 2. */
  readonly keep?: number | undefined
}

export interface FollowerState {
  readonly path: string
  readonly version: number | undefined
  readonly records: number
  /** Time of the last switch. */
  readonly sinceMs: number
  /** Reason for which the newest version is not served. */
  readonly failure?: string | undefined
}

const sameVersion = (a: StoreVersion, b: StoreVersion): boolean =>
  a.id === b.id && a.version === b.version && a.changedMs === b.changedMs

export class Follower {
  readonly #deps: FollowerDeps
  readonly #options: FollowerOptions
  readonly #ending = new AbortController()
  /** Names of files of the versions that are kept, the newest first. */
  #kept: ReadonlyArray<readonly string[]> = []
  #store: KeyValueStore
  #sinceMs: number
  #failure: string | undefined
  #failed: StoreVersion | undefined
  #looking: Promise<void> | undefined

  private constructor(deps: FollowerDeps, options: FollowerOptions, { store, names }: Opened) {
    this.#deps = deps
    this.#options = options
    this.#store = store
    this.#kept = [names]
    this.#sinceMs = deps.clock.now()
  }

  /** Throws ENOENT, ENOTDIR, EINVAL or CORRUPT if the path is no store. */
  static async start(deps: FollowerDeps, options: FollowerOptions, signal: AbortSignal): Promise<Follower> {
    await deps.disk.mkdir(options.directory)
    const version = await versionOf(deps, options, signal)
    const follower = new Follower(deps, options, await open(deps, options, version, signal))
    await follower.#prune()
    follower.#looking = follower.#look()
    return follower
  }

  /** The version that is served now. REQUIRES: the caller looks up in it in the same turn only. */
  get store(): KeyValueStore { return this.#store }

  get state(): FollowerState {
    const { version: { version }, records } = this.#store
    const failure = this.#failure
    return { path: this.#options.path, version, records, sinceMs: this.#sinceMs, ...failure !== undefined && { failure } }
  }

  async stop(): Promise<void> {
    this.#ending.abort(new GristmillError('ABORTED', 'the server stops'))
    await this.#looking
    await this.#store.close()
  }

  async #look(): Promise<void> {
    const { signal } = this.#ending
    const { clock, log } = this.#deps
    for (;;) {
      try {
        await clock.sleep(this.#options.lookMs ?? 1000, signal)
        await this.#follow(signal)
      } catch (error) {
        if (signal.aborted) return
        this.#failure = asError(error).message
        log.warn('the newest version of the store is not served', { error, path: this.#options.path })
      }
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const version = await versionOf(this.#deps, this.#options, signal)
    if (sameVersion(version, this.#store.version)) {
      this.#failure = this.#failed = undefined
      return
    }
    // A version that has failed is not copied again and again.
    if (this.#failed && sameVersion(version, this.#failed)) return
    let opened: Opened
    try {
      opened = await open(this.#deps, this.#options, version, signal)
    } catch (error) {
      if (hasCode(error, 'EINVAL', 'CORRUPT', 'ENOTDIR')) this.#failed = version
      throw error
    }
    const before = this.#store
    this.#store = opened.store
    this.#sinceMs = this.#deps.clock.now()
    this.#failure = this.#failed = undefined
    this.#kept = [opened.names, ...this.#kept].slice(0, this.#options.keep ?? 2)
    this.#deps.log.info('another version of the store is served', { path: this.#options.path, version: version.version })
    // Lookups are synchronous: none of them is inside of it.
    await before.close()
    await this.#prune()
  }

  /** Removes files of versions that are not kept, and what broken copies have left. */
  async #prune(): Promise<void> {
    const { disk } = this.#deps
    const kept = new Set(this.#kept.flat())
    for (const { name } of await disk.list(this.#options.directory))
      if (!kept.has(name)) await disk.remove(`${this.#options.directory}/${name}`)
  }
}

interface Opened { readonly store: KeyValueStore; readonly names: readonly string[] }

async function versionOf({ files }: FollowerDeps, { path }: FollowerOptions, signal: AbortSignal): Promise<StoreVersion> {
  const { type, id, version, mtimeMs } = await files.status(path, { signal })
  if (type !== 'directory') throw new GristmillError('ENOTDIR', `${path} is a file, and a store is a directory that saveKeyValue has made`)
  return { id, version, ...version === undefined && { changedMs: mtimeMs } }
}

/** Copies what is not here yet, and opens all. */
async function open(deps: FollowerDeps, { path, directory }: FollowerOptions, version: StoreVersion, signal: AbortSignal): Promise<Opened> {
  const { files, disk } = deps
  // The path may lead to another version by now; a numbered one stays what it is.
  const pinned = version.version === undefined ? path : `${path}@${version.version}`
  const found: FileStatus[] = []
  for await (const file of files.list(pinned, { signal }))
    if (file.type === 'file' && !/^[_.]/.test(file.path.slice(file.path.lastIndexOf('/') + 1))) found.push(file)
  // A job may have published a store without keys.
  if (found.length === 0 && version.version === undefined)
    throw new GristmillError('EINVAL', `${path} has no files: no job has published it, so it is not a key-value store`)
  const tables: KeyValueTable[] = []
  const names: string[] = []
  try {
    for (const file of found) {
      const name = `${file.id}-${file.length}.kv`
      const local = `${directory}/${name}`
      const isHere = (await disk.stat(local))?.bytes === file.length
      if (!isHere) await files.get(file.path, local, { overwrite: true, signal })
      names.push(name)
      try {
        const table = await KeyValueTable.open(file.path, await disk.openRead(local))
        tables.push(table)
        if (!isHere) await table.verify(() => deps.clock.yield())
      } catch (error) {
        // A copy that is damaged is fetched anew by the next try.
        await disk.remove(local)
        throw error
      }
    }
    if (version.version === undefined && !sameVersion(await versionOf(deps, { path, directory }, signal), version))
      throw new GristmillError('ESTALE', `${path} has changed while its files were copied`)
    return { store: new KeyValueStore(version, tables), names }
  } catch (error) {
    await Promise.all(tables.map(table => table.close()))
    throw error
  }
}
