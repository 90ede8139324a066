// Is this namenode the last one of its cluster? Each start raises the epoch, durably, before anything is changed, and datanodes tell
// what they have seen when they register. A namenode that finds itself behind them (its directory is an old copy, or one of two
// copies that were both started) stays in safe mode for good, changes nothing, gives out no ids, and takes no datanode in.
//
// Until that is decided it is in doubt: what is there can be read, and nothing is changed. The doubt ends, and jobs go on, when
//   the epoch has been raised (a full disk is tried again until there is room), and
//   a datanode that has seen a namenode before has registered; or any other has, and the known ones have had the time in which they
//   would have been dead; or an operator says so; or no datanode is known.

import { asError, GristmillError, hasCode } from '../../src/base/errors.ts'
import type { NodeId } from '../../src/base/ids.ts'
import type { World } from '../../src/ports/world.ts'
import { whyBehind, type Command, type Seen } from '../../src/protocol/position.ts'
import { dropSeen, noteSeen, seenIn } from '../backup/seen.ts'
import type { LocalJournal } from '../journal/local.ts'
import { started, startsOf, type Starts } from '../journal/starts.ts'

export interface SuccessionOptions {
  readonly world: Pick<World, 'clock' | 'disk' | 'log' | 'random'>
  readonly journal: Pick<LocalJournal, 'view' | 'submit' | 'full'>
  /** The namenode's directory. */
  readonly dir: string
  /** Datanodes that have registered with an earlier process, and are not decommissioned. */
  readonly knownNodes: number
  readonly nodeDeadMs: number
  /** Called once, when it turns out to be behind. */
  readonly onBehind: (error: GristmillError) => void
  /** Called when it is sure that it is not; again after a failure. */
  readonly onSure: () => Promise<void>
}

const fullLookMs = 50

export class Succession {
  readonly #options: SuccessionOptions
  readonly #nextBlockFirst: number
  readonly #startMs: number
  readonly #raising: Raising
  #read: { readonly epoch: number; readonly starts: Starts } | undefined
  #noted: Seen | undefined
  #behind: GristmillError | undefined
  /** A datanode has registered that would have known. */
  #met = false
  /** Another one has. */
  #others = false
  #sure = false
  #looking: Promise<void> | undefined

  /** Raises the epoch. Throws what the journal says, unless that is only that its disk takes nothing now. */
  static async begin(options: Pick<SuccessionOptions, 'world' | 'journal'>): Promise<(rest: Omit<SuccessionOptions, 'world' | 'journal'>) => Promise<Succession>> {
    const nextBlock = options.journal.view.counters.nextBlock
    const raising = new Raising(options)
    await raising.work()
    if (raising.refused) options.world.log.warn('the epoch cannot be raised, because the disk takes nothing; what is there can be read, and nothing is changed before it has been raised', { error: raising.refused })
    return async rest => {
      const succession = new Succession({ ...options, ...rest }, raising, nextBlock)
      await succession.#remember()
      return succession
    }
  }

  private constructor(options: SuccessionOptions, raising: Raising, nextBlockFirst: number) {
    this.#options = options
    this.#raising = raising
    this.#nextBlockFirst = nextBlockFirst
    this.#startMs = options.world.clock.mono()
    this.#met = options.knownNodes === 0
  }

  /** Nothing but the raised epoch changes them while this process lives. */
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
    const { knownNodes, nodeDeadMs, world: { clock } } = this.#options
    if (this.#raising.refused) return this.#raising.refused
    if (this.#met || (this.#others && clock.mono() - this.#startMs >= nodeDeadMs)) return undefined
    return new GristmillError('SAFE_MODE', `${knownNodes === 1 ? 'the datanode that this namenode knows has' : `none of the ${knownNodes} datanodes that this namenode knows has`} not registered since it started, so that it cannot tell ` +
      'whether its directory is an old copy: what is there can be read, and nothing be changed. It ends when a datanode registers; if none will, say `gristmill safemode leave`')
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
    await this.#options.onSure()
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
   * A datanode registers that has seen this; undefined if it is of a version that does not tell. `known`: it was there before. Throws
   * STALE_EPOCH if that is more than this namenode can know.
   */
  async meet(node: NodeId, seen: Seen | undefined, known: boolean): Promise<void> {
    const why = seen && this.#why(seen)
    if (why !== undefined) {
      await this.#fallBehind(`${why}, as the datanode ${node} has seen`, seen!)
      throw new GristmillError('STALE_EPOCH', this.#behind!.message, { details: { epoch: this.command.epoch, highest: seen!.epoch } })
    }
    // Nothing comes of a datanode that has not seen anything yet, either: this namenode can do nothing with it.
    if (this.#behind) throw new GristmillError('STALE_EPOCH', this.#behind.message)
    if (seen ? seen.epoch > 0 : known) this.#met = true
    else this.#others = true
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
    if (seen.nextBlock > this.#nextBlockFirst) return `it began with block ids from ${this.#nextBlockFirst} on, and ids up to ${seen.nextBlock - 1} had been given out`
    const { last } = this.#starts
    if (seen.incarnation === undefined || seen.epoch < (last[0]?.epoch ?? 0)) return undefined
    const past = last.find(({ epoch }) => epoch === seen.epoch)
    if (past?.incarnation === seen.incarnation) return undefined
    return `the namenode of epoch ${seen.epoch} was ${past ? `incarnation ${seen.incarnation} and not ${past.incarnation}` : 'none of its own past'}: two were started from copies of one directory`
  }
}

/** Raises the epoch of this process, once. */
class Raising {
  readonly #options: Pick<SuccessionOptions, 'world' | 'journal'>
  #done = false
  #refused: GristmillError | undefined
  #submitting: Promise<void> | undefined

  constructor(options: Pick<SuccessionOptions, 'world' | 'journal'>) { this.#options = options }

  /** Why the epoch is still that of the process before; undefined once it has been raised. */
  get refused(): GristmillError | undefined { return this.#refused }

  /** Returns when the epoch has been raised, or the disk has refused it for now. Throws what else the journal says. */
  async work(): Promise<void> {
    if (this.#done) return
    const { world: { clock }, journal } = this.#options
    const submitting = this.#submitting ??= this.#submit().finally(() => { this.#submitting = undefined })
    // An operation that is in the log, and has no room in the store, is not answered before there is.
    for (let decided = false; !decided && !this.#done;) {
      const waiting = new AbortController()
      decided = await Promise.race([submitting.then(() => true), clock.sleep(fullLookMs, waiting.signal).then(() => false, () => true)])
      waiting.abort()
      if (!decided && journal.full) {
        this.#refused = journal.full
        decided = true
      }
    }
  }

  async #submit(): Promise<void> {
    const { world: { random, clock }, journal } = this.#options
    try {
      await journal.submit(started, { incarnation: random.id().slice(0, 16), nowMs: Math.floor(clock.now()) })
      this.#done = true
      this.#refused = undefined
    } catch (error) {
      if (!hasCode(error, 'ENOSPC', 'UNAVAILABLE')) throw error
      this.#refused = error
    }
  }
}
