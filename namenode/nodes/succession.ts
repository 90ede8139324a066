// Is this namenode the last one of its cluster? Each start raises the epoch, durably, before anybody is answered, and datanodes tell
// what they have seen when they register. A namenode that finds itself behind them (its directory is an old copy, or one of two
// copies that were both started) stays in safe mode for good, changes nothing, gives out no ids, and takes no datanode in.

import { asError, GristmillError, hasCode } from '../../src/base/errors.ts'
import type { NodeId } from '../../src/base/ids.ts'
import type { World } from '../../src/ports/world.ts'
import { whyBehind, type Command, type Seen } from '../../src/protocol/position.ts'
import { dropSeen, noteSeen, seenIn } from '../backup/seen.ts'
import type { Journal } from '../journal/journal.ts'
import { started, startsOf, type Starts } from '../journal/starts.ts'

export interface SuccessionOptions {
  readonly world: Pick<World, 'clock' | 'disk' | 'log' | 'random'>
  readonly journal: Journal
  /** The namenode's directory. */
  readonly dir: string
  /** Called once, when it turns out to be behind. */
  readonly onBehind: (error: GristmillError) => void
}

export class Succession {
  readonly #options: SuccessionOptions
  readonly #nextBlockFirst: number
  /** Nothing changes them while this process lives. */
  readonly #starts: Starts
  #noted: Seen | undefined
  #behind: GristmillError | undefined

  /** Raises the epoch. Throws what the journal says, unless that is only that its disk takes nothing now. */
  static async begin(options: Omit<SuccessionOptions, 'onBehind'>): Promise<(onBehind: SuccessionOptions['onBehind']) => Promise<Succession>> {
    const { world: { random, clock, log }, journal } = options
    const nextBlock = journal.view.counters.nextBlock
    try {
      await journal.submit(started, { incarnation: random.id().slice(0, 16), nowMs: Math.floor(clock.now()) })
    } catch (error) {
      // It can still be read from, as the process before it; it changes nothing before its disk takes that.
      if (!hasCode(error, 'ENOSPC', 'UNAVAILABLE')) throw error
      log.warn('the epoch cannot be raised, because the disk takes nothing; the namenode goes on as the one before it', { error })
    }
    return async onBehind => {
      const succession = new Succession({ ...options, onBehind }, nextBlock)
      await succession.#remember()
      return succession
    }
  }

  private constructor(options: SuccessionOptions, nextBlockFirst: number) {
    this.#options = options
    this.#nextBlockFirst = nextBlockFirst
    this.#starts = startsOf(options.journal.view)
  }

  /** Said to whoever asks anything of this namenode; undefined while it is not known to be behind. */
  get behind(): GristmillError | undefined { return this.#behind }

  /** What every command carries. */
  get command(): Command {
    const { epoch, appliedSeq: seq, nextBlock } = this.#options.journal.view.counters
    const { last, rebuilt } = this.#starts
    const own = last.at(-1)
    return { epoch, ...own && { at: { incarnation: own.incarnation, from: own.seq, seq, nextBlock, rebuilt } } }
  }

  /** A datanode has seen this. Throws STALE_EPOCH if that is more than this namenode can know. */
  async meet(node: NodeId, seen: Seen): Promise<void> {
    const why = this.#why(seen)
    if (why === undefined) return
    await this.#fallBehind(`${why}, as the datanode ${node} has seen`, seen)
    throw new GristmillError('STALE_EPOCH', this.#behind!.message, { details: { epoch: this.command.epoch, highest: seen.epoch } })
  }

  /** What datanodes have told an earlier process of this directory, which may have been exchanged since. */
  async #remember(): Promise<void> {
    const { world: { disk, log }, dir } = this.#options
    const seen = await seenIn(disk, dir)
    if (!seen) return
    const why = this.#why(seen)
    if (why === undefined) {
      log.info('this namenode has caught up with what its datanodes had seen', { ...seen })
      await dropSeen(disk, dir)
    } else await this.#fallBehind(`${why}, as datanodes told the process before this one`, seen)
  }

  async #fallBehind(why: string, seen: Seen): Promise<void> {
    const { world: { disk, log }, dir, onBehind } = this.#options
    if (!this.#behind) {
      this.#behind = new GristmillError('SAFE_MODE', `this namenode is behind its cluster: ${why}. Its directory ${dir} is an old copy, or one of two copies. Nothing is changed or deleted. ` +
        `Stop it, and start the directory that was in use last; if there is none, stop it and run \`gristmill namenode recover --dir ${dir}\``, { details: { final: true, dir } })
      log.error('this namenode is behind its cluster and stays in safe mode', { error: this.#behind })
      onBehind(this.#behind)
    }
    if (this.#noted && this.#noted.epoch >= seen.epoch) return
    this.#noted = seen
    try {
      await noteSeen(disk, dir, seen)
    } catch (error) {
      log.warn('what the datanodes have seen cannot be noted; it is heard again at the next start', { error: asError(error) })
    }
  }

  #why(seen: Seen): string | undefined {
    const { command } = this
    const why = whyBehind(command, seen)
    if (why !== undefined || !command.at) return why
    const { incarnation, seq, rebuilt } = command.at
    if (seen.epoch === command.epoch) return seen.incarnation === incarnation && seen.seq > seq ? `it holds operation ${seq}, and operation ${seen.seq} has happened` : undefined
    if (seen.epoch < rebuilt) return undefined
    if (seen.nextBlock > this.#nextBlockFirst) return `it began with block ids from ${this.#nextBlockFirst} on, and ids up to ${seen.nextBlock - 1} had been given out`
    const { last } = this.#starts
    if (seen.incarnation === undefined || seen.epoch < (last[0]?.epoch ?? 0)) return undefined
    const past = last.find(({ epoch }) => epoch === seen.epoch)
    if (past?.incarnation === seen.incarnation) return undefined
    return `the namenode of epoch ${seen.epoch} was ${past ? `incarnation ${seen.incarnation} and not ${past.incarnation}` : 'none of its own past'}: two were started from copies of one directory`
  }
}
