// Is this namenode the last one of its cluster? Each start raises the epoch, durably, before anything is changed, and datanodes tell
// what they have seen when they register. A namenode that finds itself behind them (its directory is an old copy, or one of two
// copies that were both started) stays in safe mode for good, changes nothing, gives out no ids, and takes no datanode in. It leaves
// a note of it (nodes/seen.ts). While the note is there, the next processes of the directory serve nothing and do not raise the
// epoch; it goes when the directory's own history has what was seen.
//
// Until that is decided it is in doubt: what is there can be read, and nothing is changed. The doubt ends, and jobs go on, when
//   the epoch has been raised (a full disk is tried again until there is room), and
//   all known datanodes have registered; or one has, and the others have had the time in which they would have been dead; or an
//   operator says so; or no datanode is known.
// What a datanode has seen shows how far the history of its cluster went while it was there, and never that it went no further: any
// other known one may have been there longer, also within one epoch. One that has seen a namenode of which no start is noted any more
// cannot tell anything at all.
// Until then its replies are provisional: datanodes do not remember them. They would hold the epoch that an old copy has begun against
// the namenode that was in use last.

import { asError, GristmillError } from '../../src/base/errors.ts'
import type { NodeId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { World } from '../../src/ports/world.ts'
import { whyBehind, type Command, type Seen } from '../../src/protocol/position.ts'
import { dropSeen, noteSeen, seenIn } from './seen.ts'
import { evidenceOf } from '../journal/evidence.ts'
import type { LocalJournal } from '../journal/local.ts'
import { becameSure, startsOf, type Starts } from '../journal/starts.ts'
import { Raising } from './raising.ts'

export interface SuccessionOptions {
  readonly world: Pick<World, 'clock' | 'disk' | 'log' | 'random'>
  readonly journal: Pick<LocalJournal, 'view' | 'submit' | 'full'>
  /** The namenode's directory. */
  readonly dir: string
  /** What a datanode remembers whose directory lies beside it, so that it can be asked before it registers. */
  readonly beside?: Seen | undefined
  /** Datanodes that have registered with an earlier process, and are not decommissioned. */
  readonly knownNodes: readonly NodeId[]
  /** Time in which this process ran: what others sent while it stood still lies unread. */
  readonly awake: Pick<Clock, 'mono'>
  readonly nodeDeadMs: number
  /** Called once, when it turns out to be behind. */
  readonly onBehind: () => void
  /** Called when it is sure that it is not; again after a failure. */
  readonly onSure: () => Promise<void>
}

/** What the state said before this process raised the epoch. */
interface Past {
  readonly nextBlock: number
  /** The last epoch in which a namenode of this directory changed anything. */
  readonly sureEpoch: number
}

type BeginOptions = Pick<SuccessionOptions, 'world' | 'journal' | 'dir' | 'beside'>

const justStarted = (): GristmillError =>
  new GristmillError('SAFE_MODE', 'this namenode has just started and takes over what ran before; ask again in a moment')

/** Datanodes that a message names. */
const namedMax = 5

const unshown = ({ epoch }: Seen): string => `its history does not show the namenode of epoch ${epoch}`

interface Refuted { readonly why: string; readonly seen: Seen }

/** What datanodes have told an earlier process of this directory, which may have been exchanged since: then the note goes. */
async function notedIn({ world: { disk, log }, journal: { view }, dir }: BeginOptions): Promise<Refuted | undefined> {
  const seen = await seenIn(disk, dir)
  if (!seen) return undefined
  const { verdict, why } = evidenceOf(view, seen, view.counters.nextBlock)
  if (verdict !== 'own') return { why: `${why ?? unshown(seen)}, as datanodes told a process before this one`, seen }
  log.info('this namenode has caught up with what its datanodes had seen', { ...seen })
  await dropSeen(disk, dir)
  return undefined
}

function besideOf({ journal: { view }, beside }: BeginOptions): Refuted | undefined {
  // A new cluster: the datanode is of another one, and says so.
  if (!beside || (view.counters.epoch <= 1 && startsOf(view).last.length === 0)) return undefined
  const { verdict, why } = evidenceOf(view, beside, view.counters.nextBlock)
  if (verdict === 'behind' || verdict === 'unknown')
    return { why: `${why ?? unshown(beside)}, as the datanode beside it has seen`, seen: beside }
  return undefined
}

function pastOf(view: SuccessionOptions['journal']['view']): Past {
  const { epoch, nextBlock } = view.counters
  const { rebuilt, sure = epoch } = startsOf(view)
  return { nextBlock, sureEpoch: Math.max(rebuilt, sure) }
}

export class Succession {
  readonly #options: SuccessionOptions
  readonly #past: Past
  readonly #startMs: number
  readonly #raising: Raising
  #read: { readonly epoch: number; readonly starts: Starts } | undefined
  #noted: Seen | undefined
  #behind: GristmillError | undefined
  /** An operator has said that it is the last one. */
  #believed = false
  /** Any datanode has registered. */
  #met = false
  /** Known datanodes that have not registered. */
  readonly #missing: Set<NodeId>
  /** Datanodes that were refused, because they have seen a namenode of which there is no record. */
  readonly #strange = new Set<NodeId>()
  #sure = false
  /** That it is sure is in the journal. */
  #journalled = false
  #looking: Promise<void> | undefined

  /**
   * Raises the epoch, unless it is known to be behind already. Throws what the journal says, unless that is only that its disk takes
   * nothing now.
   */
  static async begin(options: BeginOptions): Promise<(rest: Omit<SuccessionOptions, keyof BeginOptions>) => Promise<Succession>> {
    const past = pastOf(options.journal.view)
    const noted = await notedIn(options)
    const refuted = noted ?? besideOf(options)
    const raising = new Raising(options)
    if (!refuted) await raising.work()
    if (raising.refused)
      options.world.log.warn(
        'the epoch cannot be raised, because the disk takes nothing; what is there can be read, and nothing is changed before it has been raised',
        { error: raising.refused },
      )
    return async rest => {
      const succession = new Succession({ ...options, ...rest }, raising, past)
      if (refuted) {
        succession.#noted = noted?.seen
        await succession.#fallBehind(refuted.why, refuted.seen)
      }
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

  /** Why nothing may be changed yet; undefined when it is in the journal that this is the last namenode, or it is known to be behind. */
  get doubt(): GristmillError | undefined {
    return this.#behind || this.#journalled ? undefined : this.#undecided ?? justStarted()
  }

  /** What is missing to know that it is the last one. */
  get #undecided(): GristmillError | undefined {
    const { knownNodes: { length: known }, nodeDeadMs, awake } = this.#options
    if (this.#raising.refused) return this.#raising.refused
    if (this.#believed || this.#missing.size === 0 || (this.#met && awake.mono() - this.#startMs >= nodeDeadMs)) return undefined
    const there = known - this.#missing.size
    const missing = [...this.#missing].slice(0, namedMax).join(', ') + (this.#missing.size > namedMax ? ' …' : '')
    const why = this.#strange.size > 0 ? `datanodes (${[...this.#strange].join(', ')}) have seen a namenode of which this one has no record`
      : known === 1 ? `the datanode that this namenode knows (${missing}) has not registered since it started`
      : `${there === 0 ? 'none' : there} of the ${known} datanodes that this namenode knows ${there <= 1 ? 'has' : 'have'} registered since it started (missing: ${missing}; it last changed anything in epoch ${this.#past.sureEpoch})`
    return new GristmillError(
      'SAFE_MODE',
      `${why}, so that it cannot tell whether its directory is an old copy: what is there can be read, and nothing be changed. `
        + `It ends when all of them have registered, or ${Math.ceil(nodeDeadMs / 1000)} s after the start if one has; if none will, say \`gristmill safemode leave\``,
    )
  }

  /** It is the last one, and the jobs of the process before have not been taken over yet. */
  get takeover(): GristmillError | undefined {
    return this.#sure || this.#behind || !this.#journalled ? undefined : justStarted()
  }

  /**
   * An operator says that it is the last one. Throws what is not for operators to say: that it is behind, or that its disk takes nothing.
   */
  async believe(): Promise<void> {
    this.#believed = true
    const why = this.#behind ?? this.#undecided
    if (why) throw why
    await this.#lookOnce()
  }

  /** Tries what has not come about yet, and tells when it is sure. Throws what `onSure` throws; it is tried again. */
  look(): Promise<void> { return this.#looking ??= this.#look().finally(() => { this.#looking = undefined }) }

  async #look(): Promise<void> {
    if (this.#sure || this.#behind) return
    await this.#raising.work()
    if (this.#undecided || this.behind) return
    const { journal, world: { clock }, onSure } = this.#options
    // Before a datanode is told of this epoch as one in which things change.
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
    return {
      epoch,
      ...(own && { at: { incarnation: own.incarnation, from: own.seq, seq, nextBlock, rebuilt } }),
      ...(!this.#journalled && { provisional: true }),
    }
  }

  /**
   * A datanode registers that has seen this; undefined if it is of a version that does not tell. Throws STALE_EPOCH if that is more
   * than this namenode can know.
   */
  async meet(node: NodeId, seen: Seen | undefined): Promise<void> {
    const { verdict, why: missed } = seen
      ? evidenceOf(this.#options.journal.view, seen, this.#past.nextBlock)
      : { verdict: 'silent' as const }
    const why = (seen && whyBehind(this.command, seen)) ?? missed
    if (why !== undefined) {
      await this.#fallBehind(`${why}, as the datanode ${node} has seen`, seen!)
      throw new GristmillError('STALE_EPOCH', this.#behind!.message, { details: { epoch: this.command.epoch, highest: seen!.epoch } })
    }
    // Nothing comes of a datanode that has not seen anything yet, either: this namenode can do nothing with it.
    if (this.#behind) throw new GristmillError('STALE_EPOCH', this.#behind.message)
    if (verdict === 'unknown' && !this.#sure) {
      // It would take this epoch for its own, and with it what it could still tell of another copy would be gone.
      this.#strange.add(node)
      throw this.doubt ?? justStarted()
    }
    this.#met = true
    this.#missing.delete(node)
    if (this.#sure) return
    // Before its attempts are heard of.
    await this.#lookOnce()
  }

  /** What fails is tried again by a chore: who caused the look is no reason for it. */
  async #lookOnce(): Promise<void> {
    await this.look().catch((error: unknown) =>
      this.#options.world.log.warn('what ran before could not be taken over yet; it is tried again', { error: asError(error) }),
    )
  }

  async #fallBehind(why: string, seen: Seen): Promise<void> {
    const { world: { disk, log }, dir, onBehind } = this.#options
    if (!this.#behind) {
      this.#behind = new GristmillError('SAFE_MODE', `this namenode is behind its cluster: ${why}. Its directory ${dir} is an old copy, or one of two copies. Nothing is changed or deleted. ` +
        `Stop it, and start the directory that was in use last; if there is none, stop it and run \`gristmill namenode recover --dir ${dir}\``, { details: { final: true, dir } })
      log.error('this namenode is behind its cluster and stays in safe mode', { error: this.#behind })
      onBehind()
    }
    if (this.#noted && this.#noted.epoch >= seen.epoch) return
    this.#noted = seen
    try {
      await noteSeen(disk, dir, seen)
    } catch (error) {
      log.warn('what the datanodes have seen cannot be noted; it is heard again at the next start', { error: asError(error) })
    }
  }
}
