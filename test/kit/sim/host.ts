// Simulated computer: its disks outlive its processes; unsynced data does not outlive a power cut.

import type { Random } from '../../../src/ports/random.ts'
import { MemoryStore } from '../memory-store.ts'
import { Names, parentOf, Paths } from './names.ts'
import type { UserCodeCost } from './usercode.ts'

export interface File {
  bytes: Buffer
  length: number
  synced: number
  mtimeMs: number
  unreadable: boolean
  /** [from, to): bytes that a failed sync dropped; no later sync writes them. Reads return them; after a power cut they are zeros. */
  dropped: ReadonlyArray<readonly [number, number]>
}

export const newFile = (mtimeMs: number): File => ({
  bytes: Buffer.alloc(0), length: 0, synced: 0, mtimeMs, unreadable: false, dropped: [],
})

export const contentOf = (file: File): Buffer => file.bytes.subarray(0, file.length)

/** Path of the store's file in its directory. */
export const storeFile = (directory: string): string => `${directory}/data.mdb`

/** A mount point exists whatever happens to the disk below it. */
const isMount = (path: string): boolean => path.lastIndexOf('/') === 0

/** Faults of a disk, by its mount point. */
export interface Trouble {
  full: boolean
  failSyncIn: number
  /** No change is possible; its content can be read. */
  readOnly: boolean
  /** Every call fails. */
  dead: boolean
  /** Added to each sync. */
  slowSyncMs: number
}

const sane: Trouble = { full: false, failSyncIn: 0, readOnly: false, dead: false, slowSyncMs: 0 }

/** Content of a host's disks at some moment. */
export interface Image {
  readonly files: ReadonlyMap<string, File>
  readonly durable: ReadonlyMap<string, File>
  readonly directories: ReadonlySet<string>
  readonly durableDirectories: ReadonlySet<string>
}

export class Host {
  readonly name: string
  /** Error of its clock: offset and rate. Processes measure durations with it too. */
  readonly time = { offsetMs: 0, rate: 1 }
  /** Kills of its processes that drive programs, by the names of these. */
  readonly drivers = new Map<string, () => void>()
  /** Called when such a process starts. */
  readonly onDriver = new Set<() => void>()
  /** Output of its processes that drive programs, by attempt. */
  readonly printed = new Map<string, string>()
  /** Its wall clock has jumped away from the right time. */
  wasSet = false
  readonly userCode: UserCodeCost = { factor: 1, failure: undefined }
  /** Names as processes see them; `durable`: as they are after a power cut. */
  files = new Names<File>()
  durable = new Names<File>()
  readonly directories = new Paths()
  readonly #durableDirectories = new Paths()
  readonly locks = new Map<string, object>()
  readonly stores = new Map<string, MemoryStore>()
  /** Directories that were renamed since their parents were last synced. */
  #moves: Array<{ readonly from: string; readonly to: string }> = []
  readonly #troubles = new Map<string, Trouble>()

  constructor(name: string) { this.name = name }

  /** Faults of the disk that holds the path. */
  trouble(path: string): Trouble | undefined {
    for (const [mount, trouble] of this.#troubles) if (path === mount || path.startsWith(`${mount}/`)) return trouble
    return undefined
  }

  spoil(mount: string, change: Partial<Trouble>): void {
    this.#troubles.set(mount, { ...sane, ...this.#troubles.get(mount), ...change })
  }

  healDisks(): void {
    this.#troubles.clear()
    for (const file of this.files.values()) file.unreadable = false
  }

  /** Copy of all content of the disks, without stores: nodes with a store have journals, and those are not copied while they run. */
  image(): Image {
    const copies = new Map<File, File>()
    const copied = (names: ReadonlyMap<string, File>): Map<string, File> => new Map([...names].map(([path, file]) => {
      let copy = copies.get(file)
      if (!copy) copies.set(file, copy = { ...file, bytes: Buffer.from(contentOf(file)) })
      return [path, copy]
    }))
    return {
      files: copied(this.files), durable: copied(this.durable), directories: new Set(this.directories),
      durableDirectories: new Set(this.#durableDirectories),
    }
  }

  /** Sets the disks back to the content of an image. REQUIRES: no process runs here. */
  revert({ files, durable, directories, durableDirectories }: Image): void {
    this.files = new Names(files)
    this.durable = new Names(durable)
    this.#setDirectories(directories, durableDirectories)
    this.#moves = []
  }

  /** Records a directory rename: the durable content of the directory moves with it once the parent is synced. */
  moved(from: string, to: string): void { this.#moves.push({ from, to }) }

  #setDirectories(current: ReadonlySet<string>, durable: ReadonlySet<string>): void {
    for (const [set, paths] of [[this.directories, [...current]], [this.#durableDirectories, [...durable]]] as const) {
      set.clear()
      for (const path of paths) set.add(path)
    }
  }

  /** Makes changed names in one directory durable. */
  syncNames(directory: string): void {
    const moves = this.#moves.filter(({ to }) => parentOf(to) === directory)
    this.#moves = this.#moves.filter(move => !moves.includes(move))
    for (const { from, to } of moves) {
      for (const [path, file] of [...this.durable]) {
        if (!path.startsWith(`${from}/`)) continue
        this.durable.delete(path)
        this.durable.set(to + path.slice(from.length), file)
      }
      for (const path of [...this.#durableDirectories]) {
        if (path !== from && !path.startsWith(`${from}/`)) continue
        this.#durableDirectories.delete(path)
        this.#durableDirectories.add(to + path.slice(from.length))
      }
    }
    for (const path of this.durable.in(directory)) if (!this.files.has(path)) this.durable.delete(path)
    for (const path of this.files.in(directory)) this.durable.set(path, this.files.get(path)!)
    for (const path of this.directories.in(directory)) this.#durableDirectories.add(path)
    for (const path of [...this.#durableDirectories.in(directory)]) if (!this.directories.has(path)) this.#forget(path)
  }

  /** A removed directory is not there after a power cut either, nor is anything that was in it. */
  #forget(directory: string): void {
    this.#durableDirectories.delete(directory)
    for (const paths of [this.durable, this.#durableDirectories])
      for (const path of [...paths.keys()]) if (path.startsWith(`${directory}/`)) paths.delete(path)
  }

  /** True if every directory on the way to it is durable. */
  #reachable(directory: string): boolean {
    return directory === '' || isMount(directory) || (this.#durableDirectories.has(directory) && this.#reachable(parentOf(directory)))
  }

  /** Power cut: unsynced names revert to their durable state; of the unsynced bytes of a file a random prefix remains. */
  powerCut(random: Random): void {
    const left = new Names<File>()
    const cut = new Map<File, File>()
    for (const [path, file] of this.durable) {
      if (!this.#reachable(parentOf(path))) continue
      let remains = cut.get(file)
      if (!remains) {
        const length = file.synced + random.below(file.length - file.synced + 1)
        remains = { ...file, bytes: Buffer.from(file.bytes.subarray(0, length)), length, synced: length, dropped: [] }
        for (const [from, to] of file.dropped) remains.bytes.fill(0, from, Math.min(to, length))
        cut.set(file, remains)
      }
      left.set(path, remains)
    }
    this.files = left
    this.durable = new Names(left)
    const directories = new Set([...this.directories, ...this.#durableDirectories].filter(path => this.#reachable(path)))
    this.#setDirectories(directories, directories)
    this.locks.clear()
    this.#moves = []
    for (const [directory, store] of this.stores) this.stores.set(directory, store.reopened())
  }

  /** Releases the locks of a holder whose processes have all ended. */
  released(holder: object): void {
    for (const [directory, owner] of this.locks) if (owner === holder) this.locks.delete(directory)
  }

  /** Store whose file this is. */
  storeAt(path: string): MemoryStore | undefined { return path === storeFile(parentOf(path)) ? this.stores.get(parentOf(path)) : undefined }

  store(directory: string): MemoryStore {
    let store = this.stores.get(directory)
    if (!store) this.stores.set(directory, store = new MemoryStore())
    return store
  }

  wipe(directory: string, keep: (path: string) => boolean): void {
    for (const map of [this.files, this.durable])
      for (const path of map.keys()) if (path.startsWith(`${directory}/`) && !keep(path)) map.delete(path)
    for (const paths of [this.directories, this.#durableDirectories])
      for (const path of paths) if (path.startsWith(`${directory}/`)) paths.delete(path)
    for (const path of this.stores.keys()) if (path.startsWith(`${directory}/`)) this.stores.delete(path)
  }
}
