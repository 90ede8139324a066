// A simulated computer: its disks outlive its processes, and what was not synced does not outlive its power.

import type { Random } from '../../../src/ports/random.ts'
import { MemoryStore } from '../memory-store.ts'
import type { Labour } from './labour.ts'

export interface File { bytes: Buffer; length: number; synced: number; mtimeMs: number; unreadable: boolean }

export const newFile = (mtimeMs: number): File => ({ bytes: Buffer.alloc(0), length: 0, synced: 0, mtimeMs, unreadable: false })

export const contentOf = (file: File): Buffer => file.bytes.subarray(0, file.length)

/** What a store's file is called in its directory. */
export const storeFile = (directory: string): string => `${directory}/data.mdb`

const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/'))

/** What can be wrong with a disk, by the directory that it is mounted at. */
export interface Trouble {
  full: boolean
  failSyncIn: number
  /** Takes no change of any kind; what it has can be read. */
  readOnly: boolean
  /** Answers nothing but errors. */
  dead: boolean
}

const sane: Trouble = { full: false, failSyncIn: 0, readOnly: false, dead: false }

/** What a host's disks held at some moment. */
export interface Image { readonly files: ReadonlyMap<string, File>; readonly durable: ReadonlyMap<string, File>; readonly directories: ReadonlySet<string> }

export class Host {
  readonly name: string
  /** Its clock: how far it is off, and how fast it goes. Processes measure time with it too. */
  readonly time = { offsetMs: 0, rate: 1 }
  readonly labour: Labour = { factor: 1, strain: undefined }
  /** Names as processes see them, and as a power cut leaves them. */
  files = new Map<string, File>()
  durable = new Map<string, File>()
  readonly directories = new Set<string>()
  readonly locks = new Map<string, object>()
  readonly stores = new Map<string, MemoryStore>()
  /** Directories that were renamed since their parents were synced. */
  #moves: Array<{ readonly from: string; readonly to: string }> = []
  readonly #troubles = new Map<string, Trouble>()

  constructor(name: string) { this.name = name }

  /** Of the disk that holds the path. */
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

  /** All that lies on the disks now, as a copy. Stores are left out: nodes that have one have journals, and those are not copied under way. */
  image(): Image {
    const copies = new Map<File, File>()
    const copied = (names: ReadonlyMap<string, File>): Map<string, File> => new Map([...names].map(([path, file]) => {
      let copy = copies.get(file)
      if (!copy) copies.set(file, copy = { ...file, bytes: Buffer.from(contentOf(file)) })
      return [path, copy]
    }))
    return { files: copied(this.files), durable: copied(this.durable), directories: new Set(this.directories) }
  }

  /** The disks hold what they held then. REQUIRES: no process runs here. */
  revert({ files, durable, directories }: Image): void {
    this.files = new Map(files)
    this.durable = new Map(durable)
    this.directories.clear()
    for (const path of directories) this.directories.add(path)
    this.#moves = []
  }

  /** A directory has another name, in its parent, now: all that was safe in it will be there once the parent is synced. */
  moved(from: string, to: string): void { this.#moves.push({ from, to }) }

  /** Names in one directory that were changed are safe from now on. */
  syncNames(directory: string): void {
    const moves = this.#moves.filter(({ to }) => parentOf(to) === directory)
    this.#moves = this.#moves.filter(move => !moves.includes(move))
    for (const { from, to } of moves) {
      for (const [path, file] of [...this.durable]) {
        if (!path.startsWith(`${from}/`)) continue
        this.durable.delete(path)
        this.durable.set(to + path.slice(from.length), file)
      }
    }
    const inside = (path: string): boolean => path.startsWith(`${directory}/`) && !path.slice(directory.length + 1).includes('/')
    for (const path of this.durable.keys()) if (inside(path) && !this.files.has(path)) this.durable.delete(path)
    for (const [path, file] of this.files) if (inside(path)) this.durable.set(path, file)
  }

  /** The power goes: names that were not synced are as they were, and of bytes that were not synced some first ones remain. */
  powerCut(random: Random): void {
    const left = new Map<string, File>()
    const cut = new Map<File, File>()
    for (const [path, file] of this.durable) {
      let remains = cut.get(file)
      if (!remains) {
        const length = file.synced + random.below(file.length - file.synced + 1)
        remains = { ...file, bytes: Buffer.from(file.bytes.subarray(0, length)), length, synced: length }
        cut.set(file, remains)
      }
      left.set(path, remains)
    }
    this.files = left
    this.durable = new Map(left)
    this.locks.clear()
    this.#moves = []
    for (const [directory, store] of this.stores) this.stores.set(directory, store.reopened())
  }

  /** All processes are gone: their locks are as well. */
  released(holder: object): void {
    for (const [directory, owner] of this.locks) if (owner === holder) this.locks.delete(directory)
  }

  /** The store whose file this is. */
  storeAt(path: string): MemoryStore | undefined { return path === storeFile(parentOf(path)) ? this.stores.get(parentOf(path)) : undefined }

  store(directory: string): MemoryStore {
    let store = this.stores.get(directory)
    if (!store) this.stores.set(directory, store = new MemoryStore())
    return store
  }

  wipe(directory: string, keep: (path: string) => boolean): void {
    for (const map of [this.files, this.durable]) for (const path of map.keys()) if (path.startsWith(`${directory}/`) && !keep(path)) map.delete(path)
    for (const path of this.directories) if (path.startsWith(`${directory}/`)) this.directories.delete(path)
    for (const path of this.stores.keys()) if (path.startsWith(`${directory}/`)) this.stores.delete(path)
  }
}
