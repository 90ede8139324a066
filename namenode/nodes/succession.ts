// Is this namenode the last one of its cluster? Each start raises the epoch, durably, before anything is changed, and datanodes tell
// what they have seen when they register. A namenode that finds itself behind them (its directory is an old copy, or one of two
// copies that were both started) stays in safe mode for good, changes nothing, gives out no ids, and takes no datanode in.
//
// Until that is decided it is in doubt: what is there can be read, and nothing is changed. The doubt ends, and jobs go on, when
//   the epoch has been raised (a full disk is tried again until there is room), and
//   a datanode has registered that has seen the last epoch in which this directory's namenode changed anything; or all known ones
//   have registered; or any other has, and the known ones have had the time in which they would have been dead; or an operator says
//   so; or no datanode is known.
// A datanode that was switched off in an earlier epoch, or has heard only of namenodes that stayed in doubt, cannot tell whether
// another copy was in use since.

import { asError, GristmillError } from '../../src/base/errors.ts'
import type { NodeId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { World } from '../../src/ports/world.ts'
import { whyBehind, type Command, type Seen } from '../../src/protocol/position.ts'
import { dropSeen, noteSeen, seenIn } from '../backup/seen.ts'
import type { LocalJournal } from '../journal/local.ts'
import { becameSure, startsOf, type Starts } from '../journal/starts.ts'
import { Raising } from './raising.ts'

export interface SuccessionOptions {
  readonly world: Pick<World, 'clock' | 'disk' | 'log' | 'random'>
  readonly journal: Pick<LocalJournal, 'view' | 'submit' | 'full'>
  /** The namenode's directory. */
  readonly dir: string
  /** Datanodes that have registered with an earlier process, and are not decommissioned. */
  readonly knownNodes: readonly NodeId[]
  /** Time in which this process ran: what others sent while it stood still lies unread. */
  readonly awake: Pick<Clock, 'mono'>
  readonly nodeDeadMs: number
  /** Called once, when it turns out to be behind. */
  readonly onBehind: (error: GristmillError) => void
  /** Called when it is sure that it is not; again after a failure. */
  readonly onSure: () => Promise<void>
}

/** What the state said before this process raised the epoch. */
interface Past {
  readonly nextBlock: number
  /** A datanode that has seen this epoch has heard of the last namenode that changed anything; undefined: any that has seen a namenode has. */
  readonly sureEpoch: number | undefined
}

function pastOf(view: SuccessionOptions['journal']['view']): Past {
  const { epoch, nextBlock } = view.counters
  const { rebuilt, sure: sureEpoch = epoch } = startsOf(view)
  // What was seen before a recovery proves nothing, and no namenode has changed anything since that one.
  return { nextBlock, sureEpoch: rebuilt > 0 && rebuilt >= sureEpoch ? undefined : sureEpoch }
}

export class Succession {
  readonly #options: SuccessionOptions
  readonly #past: Past
  readonly #startMs: number
  readonly #raising: Raising
  #read: { readonly epoch: number; readonly starts: Starts } | undefined
  #noted: Seen | undefined
  #behind: GristmillError | undefined
  /** A datanode has registered that would have known, or an operator has said that none would. */
  #met = false
  /** Any datanode has registered. */
  #others = false
  /** Known datanodes that have not registered. */
  readonly #missing: Set<NodeId>
  #sure = false
  /** That it is sure is in the journal. */
  #journalled = false
  #looking: Promise<void> | undefined

  /** Raises the epoch. Throws what the journal says, unless that is only that its disk takes nothing now. */
  static async begin(options: Pick<SuccessionOptions, 'world' | 'journal'>): Promise<(rest: Omit<SuccessionOptions, 'world' | 'journal'>) => Promise<Succession>> {
    const past = pastOf(options.journal.view)
    const raising = new Raising(options)
    await raising.work()
    if (raising.refused) options.world.log.warn('the epoch cannot be raised, because the disk takes nothing; what is there can be read, and nothing is changed before it has been raised', { error: raising.refused })
    return async rest => {
      const succession = new Succession({ ...options, ...rest }, raising, past)
      await succession.#remember()
      return succession
    }
  }

  private constructor(options: SuccessionOptions, raising: Raising, past: Past) {
    this.#options = options
    this.#raising = raising
    this.#past = past
    this.#startMs = options.awake.mono()
    this.#missing = new Set(options.knownNodes)
  }

  /** Nothing but the raised epoch changes what is asked of them here while this process lives. */
  get #starts(): Starts {
    const { view } = this.#options.journal
    const { epoch } = view.counters
    if (this.#read?.epoch !== epoch) this.#read = { epoch, starts: startsOf(view) }
    return this.#read.starts
  }

  /** Said to whoever asks anything of this namenode; undefined while it is not known to be behind. */
  get behind(): GristmillError | undefined { return this.#behind }

  /** Why nothing may be changed yet; undefined if it is not in doubt, or known to be behind. */
  get doubt(): GristmillError | undefined {
    if (this.#behind) return undefined
    const { knownNodes: { length: known }, nodeDeadMs, awake } = this.#options
    if (this.#raising.refused) return this.#raising.refused
    if (this.#met || this.#missing.size === 0 || (this.#others && awake.mono() - this.#startMs >= nodeDeadMs)) return undefined
    const there = known - this.#missing.size
    const why = there > 0 ? `of the ${known} datanodes that this namenode knows, ${there} ${there === 1 ? 'has' : 'have'} registered since it started, and none that was there in epoch ${this.#past.sureEpoch ?? 0}, the last one in which it changed anything`
      : known === 1 ? 'the datanode that this namenode knows has not registered since it started' : `none of the ${known} datanodes that this namenode knows has registered since it started`
    return new GristmillError('SAFE_MODE', `${why}, so that it cannot tell whether its directory is an old copy: what is there can be read, and nothing be changed. ` +
      'It ends when a datanode that was there last registers, or all do; if they will not, say `gristmill safemode leave`')
  }

  /** As `doubt`, until the jobs of the process before have been taken over, too. */
  get unsure(): GristmillError | undefined {
    if (this.#sure || this.#behind) return undefined
    return this.doubt ?? new GristmillError('SAFE_MODE', 'this namenode has just started and takes over what ran before; ask again in a moment')
  }

  /** An operator says that it is the last one. Throws what is not for operators to say: that it is behind, or that its disk takes nothing. */
  believe(): void {
    this.#met = true
    const why = this.#behind ?? this.doubt
    if (why) throw why
  }

  /** Tries what has not come about yet, and tells when it is sure. Throws what `onSure` throws; it is tried again. */
  look(): Promise<void> { return this.#looking ??= this.#look().finally(() => { this.#looking = undefined }) }

  async #look(): Promise<void> {
    if (this.#sure || this.#behind) return
    await this.#raising.work()
    if (this.doubt || this.behind) return
    const { journal, world: { clock }, onSure } = this.#options
    // Before a datanode is told of this epoch as one in which things change: the next process asks for those that have seen it.
    if (!this.#journalled) await journal.submit(becameSure, { nowMs: Math.floor(clock.now()) })
    this.#journalled = true
    await onSure()
    this.#sure = true
  }

  /** What every command carries. */
  get command(): Command {
    const { epoch, appliedSeq: seq, nextBlock } = this.#options.journal.view.counters
    const { last, rebuilt } = this.#starts
    const own = last.at(-1)
    return { epoch, ...own && { at: { incarnation: own.incarnation, from: own.seq, seq, nextBlock, rebuilt } } }
  }

  /**
   * A datanode registers that has seen this; undefined if it is of a version that does not tell. Throws STALE_EPOCH if that is more
   * than this namenode can know.
   */
  async meet(node: NodeId, seen: Seen | undefined): Promise<void> {
    const why = seen && this.#why(seen)
    if (why !== undefined) {
      await this.#fallBehind(`${why}, as the datanode ${node} has seen`, seen!)
      throw new GristmillError('STALE_EPOCH', this.#behind!.message, { details: { epoch: this.command.epoch, highest: seen!.epoch } })
    }
    // Nothing comes of a datanode that has not seen anything yet, either: this namenode can do nothing with it.
    if (this.#behind) throw new GristmillError('STALE_EPOCH', this.#behind.message)
    const { sureEpoch } = this.#past
    if (seen && seen.epoch > 0 && (sureEpoch === undefined || seen.epoch === sureEpoch)) this.#met = true
    this.#others = true
    this.#missing.delete(node)
    if (this.#sure) return
    // Before its attempts are heard of. What fails is tried again by a chore; the datanode is no reason for it.
    await this.look().catch((error: unknown) => this.#options.world.log.warn('what ran before could not be taken over yet; it is tried again', { error: asError(error) }))
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
    if (seen.nextBlock > this.#past.nextBlock) return `it began with block ids from ${this.#past.nextBlock} on, and ids up to ${seen.nextBlock - 1} had been given out`
    const { last } = this.#starts
    if (seen.incarnation === undefined || seen.epoch < (last[0]?.epoch ?? 0)) return undefined
    const past = last.find(({ epoch }) => epoch === seen.epoch)
    if (past?.incarnation === seen.incarnation) return undefined
    return `the namenode of epoch ${seen.epoch} was ${past ? `incarnation ${seen.incarnation} and not ${past.incarnation}` : 'none of its own past'}: two were started from copies of one directory`
  }
}
