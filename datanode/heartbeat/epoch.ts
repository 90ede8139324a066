// Epoch fence of a datanode: the highest position (epoch, incarnation, operation, block id) that a namenode has sent to this node, kept
// on each of its disks. A namenode behind that position is an old copy or was replaced: its orders are refused. Positions of a
// namenode that has not passed its succession check (`provisional`) are not stored.
// Invariant: orders of an epoch and incarnation are obeyed only after at least one disk has them durably; the highest position on any
// disk counts. Operation numbers within an incarnation are written up to 1 s later: that same process cannot send older ones.

import { GristmillError } from '../../src/base/errors.ts'
import { isExhaustion } from '../../src/base/exhaustion.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Disk } from '../../src/ports/disk.ts'
import { nothingSeen, whyBehind, type Command, type Seen } from '../../src/protocol/position.ts'

interface Copy { readonly dir: string; readonly path: string; seen: Seen }

interface FenceOptions {
  readonly clock: Pick<Clock, 'after'>
  /** A disk has refused to store the position: it is not to be trusted with blocks either. */
  readonly refused: (dir: string, error: unknown) => void
}

/** Delay of writes that only raise the operation number or block id: at most one write per second. */
const lagMs = 1_000

export class EpochFence {
  readonly #disk: Disk
  readonly #options: FenceOptions
  readonly #copies: readonly Copy[]
  /** Commands below this position are refused. */
  #seen: Seen
  #writing: Promise<void> | undefined
  #cancel: (() => void) | undefined

  /** Throws CORRUPT if a disk holds an invalid position and no disk holds a valid one. */
  static async open(disk: Disk, dirs: readonly string[], options: FenceOptions): Promise<EpochFence> {
    let invalid: GristmillError | undefined
    const copies: Copy[] = []
    for (const dir of dirs) {
      const path = pathIn(dir)
      let seen = nothingSeen
      try {
        if (await disk.stat(path)) seen = seenOf(await disk.readFile(path))
      } catch (error) {
        if (isExhaustion(error)) throw error
        invalid ??= new GristmillError(
          'CORRUPT',
          `${path} cannot be understood (${(error as Error).message}); it should hold {"epoch": number}`,
          { cause: error },
        )
      }
      copies.push({ dir, path, seen })
    }
    if (invalid && copies.every(({ seen }) => seen.epoch === 0)) throw invalid
    const fence = new EpochFence(disk, options, copies)
    // A new disk, or one that was not writable when the others were written.
    if (copies.some(({ seen }) => isNewer(fence.#seen, seen))) await fence.#write().catch(() => {})
    return fence
  }

  private constructor(disk: Disk, options: FenceOptions, copies: readonly Copy[]) {
    this.#disk = disk
    this.#options = options
    this.#copies = copies
    this.#seen = this.#durable
  }

  get highest(): number { return this.#seen.epoch }
  get seen(): Seen { return this.#seen }

  get #durable(): Seen { return this.#copies.reduce<Seen>((highest, { seen }) => (isNewer(seen, highest) ? seen : highest), nothingSeen) }

  /**
   * Checks a command's position; returns once a new epoch is durable. Throws STALE_EPOCH for a namenode that is behind, and the first
   * disk's error if no disk stores the position.
   */
  async pass(command: Command): Promise<void> {
    const { epoch, at, provisional = false } = command
    const why = whyBehind(command, this.#seen)
    if (why !== undefined) {
      throw new GristmillError(
        'STALE_EPOCH',
        `the namenode is behind this datanode: ${why}; it must stop. Start the directory that was in use last; if there is none, run \`gristmill namenode recover\` on this one`,
        { details: { epoch, highest: this.#seen.epoch } },
      )
    }
    if (provisional) return
    // Set before the write, so that a reply of an older epoch is refused while this one is being written.
    if (epoch > this.#seen.epoch || (at && this.#seen.incarnation === undefined))
      this.#seen = { epoch, ...(at && { incarnation: at.incarnation }), seq: at?.seq ?? 0, nextBlock: at?.nextBlock ?? 0 }
    else if (at && (at.seq > this.#seen.seq || at.nextBlock > this.#seen.nextBlock))
      this.#seen = { ...this.#seen, seq: Math.max(at.seq, this.#seen.seq), nextBlock: Math.max(at.nextBlock, this.#seen.nextBlock) }
    while (!this.#knows(epoch, at?.incarnation)) await (this.#writing ??= this.#write().finally(() => { this.#writing = undefined }))
    if (isNewer(this.#seen, this.#durable)) this.#cancel ??= this.#options.clock.after(lagMs, () => void this.#flush())
  }

  /** Writes a position that is not durable yet. */
  async stop(): Promise<void> {
    this.#cancel?.()
    this.#cancel = undefined
    await this.#writing?.catch(() => {}) // it does not contain positions that arrived after it began
    if (isNewer(this.#seen, this.#durable)) await this.#flush()
  }

  async #flush(): Promise<void> {
    this.#cancel = undefined
    await (this.#writing ??= this.#write().finally(() => { this.#writing = undefined })).catch(() => {}) // the next command tries again
  }

  #knows(epoch: number, incarnation: string | undefined): boolean {
    const { epoch: known, incarnation: named } = this.#durable
    return known > epoch || (known === epoch && (incarnation === undefined || named !== undefined))
  }

  async #write(): Promise<void> {
    const seen = this.#seen
    const bytes = Buffer.from(`${JSON.stringify(seen.incarnation === undefined ? { epoch: seen.epoch } : seen)}\n`)
    const written = await Promise.allSettled(this.#copies.filter(copy => isNewer(seen, copy.seen)).map(async copy => {
      try {
        await this.#disk.writeFileDurable(copy.path, bytes)
      } catch (error) {
        this.#options.refused(copy.dir, error)
        throw error
      }
      copy.seen = seen
    }))
    for (const each of written) if (each.status === 'rejected' && isNewer(seen, this.#durable)) throw each.reason
  }
}

const pathIn = (dir: string): string => `${dir}/epoch.json`

/** Position stored in a directory of a stopped datanode. Throws the disk's error, and an Error if the file is invalid. */
export async function seenIn(disk: Disk, dir: string): Promise<Seen> {
  return await disk.stat(pathIn(dir)) ? seenOf(await disk.readFile(pathIn(dir))) : nothingSeen
}

const isNewer = (a: Seen, b: Seen): boolean =>
  (a.epoch !== b.epoch ? a.epoch > b.epoch
    : b.incarnation === undefined && a.incarnation !== undefined ? true
      : a.incarnation === b.incarnation && (a.seq > b.seq || (a.seq === b.seq && a.nextBlock > b.nextBlock)))

function seenOf(bytes: Buffer): Seen {
  const { epoch, incarnation, seq, nextBlock } = JSON.parse(bytes.toString()) as { readonly [Field in keyof Seen]?: unknown }
  if (typeof epoch !== 'number') throw new Error('it holds no number')
  if (typeof incarnation !== 'string' || typeof seq !== 'number' || typeof nextBlock !== 'number') return { epoch, seq: 0, nextBlock: 0 }
  return { epoch, incarnation, seq, nextBlock }
}
