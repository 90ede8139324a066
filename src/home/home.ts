// Home: data directory of a process. One process at a time holds it (by a lock that the system releases when the holder dies), and
// a stamp records its cluster, role and id. A directory of another cluster, role or node is refused, never changed.

import { GristmillError } from '../base/errors.ts'
import { exhausted, isExhaustion } from '../base/exhaustion.ts'
import type { ClusterId } from '../base/ids.ts'
import type { Disk, DiskLock } from '../ports/disk.ts'
import type { Random } from '../ports/random.ts'
import { makeDirectory, unusable } from './directory.ts'
import { removeUnfinished } from './unfinished.ts'

type HomeRole = 'namenode' | 'datanode' | 'storage' | 'embedded' | 'cluster'

interface Stamp {
  readonly format: 1
  readonly role: HomeRole
  /** Missing until a datanode has registered for the first time. */
  readonly cluster?: ClusterId
  readonly id: string
  /** On a further disk of a datanode: the node's id. */
  readonly node?: string
}

export const stampName = 'gristmill.json'

interface HomeOptions {
  readonly role: HomeRole
  /** The cluster it must belong to; a fresh directory is stamped with it. */
  readonly cluster?: ClusterId | undefined
  /** The id it must have; a fresh directory gets this one, or a random one: `<role>-<12 hex>`. */
  readonly id?: string | undefined
  /** The id for a fresh directory; an existing id is kept. */
  readonly freshId?: string | undefined
}

export class Home {
  readonly dir: string
  readonly #disk: Disk
  readonly #lock: DiskLock
  #stamp: Stamp

  constructor(dir: string, disk: Disk, lock: DiskLock, stamp: Stamp) {
    this.dir = dir
    this.#disk = disk
    this.#lock = lock
    this.#stamp = stamp
  }

  get id(): string { return this.#stamp.id }
  get cluster(): ClusterId | undefined { return this.#stamp.cluster }
  /** The datanode that this disk last belonged to. */
  get node(): string | undefined { return this.#stamp.node }

  /**
   * Binds the directory to a cluster permanently, and to a datanode until it is moved to another. Throws DIR_FOREIGN if it is
   * bound to another cluster.
   */
  async stamp(cluster: ClusterId, node: string | undefined = this.#stamp.node): Promise<void> {
    if (this.#stamp.cluster === cluster && this.#stamp.node === node) return
    if (this.#stamp.cluster !== undefined && this.#stamp.cluster !== cluster)
      throw foreign(this.dir, `it belongs to cluster ${this.#stamp.cluster}, and this one is ${cluster}`)
    const stamp = { ...this.#stamp, cluster, ...node !== undefined && { node } }
    await writeStamp(this.#disk, this.dir, stamp)
    this.#stamp = stamp
  }

  async release(): Promise<void> { await this.#lock.release() }
}

/** Creates or takes over a directory. Throws DIR_IN_USE, DIR_FOREIGN, or EACCES with the system's reason. */
export async function openHome({ disk, random }: { disk: Disk; random: Random }, dir: string, options: HomeOptions): Promise<Home> {
  let lock: DiskLock | undefined
  try {
    await makeDirectory(disk, dir)
    lock = await disk.lock(dir)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST' && !await disk.stat(dir, { follow: true }).catch(() => undefined))
      throw new GristmillError('EACCES', `the directory ${dir} is a link whose target is not there; mount the disk of the target, or remove the link`, {
        cause: error, details: { dir },
      })
    const advice = `give one that this user may write with ${options.role === 'embedded' ? '--home' : '--dir'}`
    throw unusable(error, { what: 'the directory', dir, advice })
  }
  if (!lock) throw await inUse(disk, dir, options.role)
  try {
    await removeUnfinished(disk, dir)
    const found = await readStamp(disk, dir)
    if (found) {
      check(dir, found, options)
      // The process that wrote the stamp, or another file here, may have died before its name was durable.
      await disk.syncDir(dir)
      const home = new Home(dir, disk, lock, found)
      if (options.cluster) await home.stamp(options.cluster)
      return home
    }
    await refuseOthersFiles(disk, dir)
    const stamp: Stamp = {
      format: 1,
      role: options.role,
      ...(options.cluster && { cluster: options.cluster }),
      id: options.id ?? options.freshId ?? `${options.role}-${random.id().slice(0, 12)}`,
    }
    await writeStamp(disk, dir, stamp)
    return new Home(dir, disk, lock, stamp)
  } catch (error) {
    await lock.release()
    throw error
  }
}

async function inUse(disk: Disk, dir: string, role: HomeRole): Promise<GristmillError> {
  // A client that waits for an embedded cluster asks many times, and names the holder itself.
  const pid = role === 'embedded' ? undefined : await disk.lockHolder?.(dir)
  const who = pid === undefined ? 'another process' : `another process (${pid})`
  return new GristmillError('DIR_IN_USE', `${who} uses the directory ${dir}; stop it, or give another directory with --dir`, {
    details: { dir, ...(pid !== undefined && { pid }) },
  })
}

function check(dir: string, found: Stamp, wanted: HomeOptions): void {
  if (found.role !== wanted.role) throw foreign(dir, `it belongs to a ${found.role}, and this is a ${wanted.role}`)
  if (wanted.id !== undefined && found.id !== wanted.id) throw foreign(dir, `it belongs to ${found.id}, and this is ${wanted.id}`)
  if (wanted.cluster !== undefined && found.cluster !== undefined && found.cluster !== wanted.cluster) {
    throw foreign(dir, `it belongs to cluster ${found.cluster}, and this one is ${wanted.cluster}`)
  }
}

/** A directory without a stamp must be empty: files in it belong to another program. */
async function refuseOthersFiles(disk: Disk, dir: string): Promise<void> {
  const others = (await disk.list(dir))
    .map(entry => entry.name)
    .filter(name => !name.startsWith('lock') && !name.startsWith('.') && name !== 'lost+found')
  if (others.length > 0) throw foreign(dir, `it has no ${stampName} and is not empty (it holds ${others.slice(0, 3).join(', ')})`)
}

async function readStamp(disk: Disk, dir: string): Promise<Stamp | undefined> {
  const path = `${dir}/${stampName}`
  if (!await disk.stat(path)) return undefined
  try {
    const stamp = JSON.parse((await disk.readFile(path)).toString('utf8')) as Partial<Stamp>
    if (stamp.format !== 1 || typeof stamp.role !== 'string' || typeof stamp.id !== 'string')
      throw new Error('a field is missing or of another format')
    return stamp as Stamp
  } catch (error) {
    if (isExhaustion(error)) throw exhausted(`cannot use the directory ${dir}`, error)
    throw foreign(dir, `its ${stampName} cannot be understood (${error instanceof Error ? error.message : String(error)})`)
  }
}

async function writeStamp(disk: Disk, dir: string, stamp: Stamp): Promise<void> {
  await disk.writeFileDurable(`${dir}/${stampName}`, Buffer.from(`${JSON.stringify(stamp)}\n`), { mode: 0o600 })
}

const foreign = (dir: string, why: string): GristmillError =>
  new GristmillError('DIR_FOREIGN', `the directory ${dir} is not for this process: ${why}; give another one with --dir`, {
    details: { dir },
  })
