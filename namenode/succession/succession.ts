// Succession: determines whether this namenode is the latest of its cluster. Each start raises the epoch, durably, before any
// other change, and datanodes report what they have seen when they register. A namenode that is behind them (its directory is
// an old copy, or one of two copies that were both started) refuses all requests about files permanently: it changes nothing,
// gives out no ids, and admits no datanode. It leaves a note in its directory (seen.ts). While the note exists, later processes on
// the directory serve nothing and do not raise the epoch; the note is removed when the directory's own history includes what
// was seen.
//
// Until the decision the namenode is in doubt: reads work, and nothing is changed. The doubt ends, and jobs resume, when
//   the epoch has been raised (retried while the disk is full), and
//   enough of the datanodes in the journal have registered (witnesses.ts), or an operator confirms it.
// A datanode's record proves that the cluster's history went at least that far, never that it ended there: another known
// datanode may have seen more, also within one epoch. A datanode that has seen a namenode whose start is no longer recorded
// proves nothing, and neither does one that is not in the journal.
// While in doubt, replies are provisional: datanodes do not remember them. Otherwise the epoch of an old copy would make
// datanodes refuse the namenode that was in use last.

import { asError, GristmillError } from '../../src/base/errors.ts'
import type { NodeId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { World } from '../../src/ports/world.ts'
import { whyBehind, type Command, type Seen } from '../../src/protocol/position.ts'
import { dropSeen, noteSeen, seenIn } from './seen.ts'
import { evidenceOf } from './evidence.ts'
import type { Journal } from '../journal/journal.ts'
import { becameSure, startsOf, type Starts } from './starts.ts'
import { Raising } from './raising.ts'
import { Witnesses } from './witnesses.ts'

interface SuccessionOptions {
  readonly world: Pick<World, 'clock' | 'disk' | 'log' | 'random'>
  readonly journal: Pick<Journal, 'view' | 'submit' | 'full'>
  /** The namenode's directory. */
  readonly dir: string
  /** Position remembered by a datanode whose directory lies beside this one, read before it registers. */
  readonly beside?: Seen | undefined
  /** Datanodes in the journal that are not decommissioned. */
  readonly witnesses: readonly NodeId[]
  /** True if datanodes have registered with earlier processes. */
  readonly hadNodes: boolean
  /** Clock without pauses of this process: messages that arrived during a pause are still unread. */
  readonly awake: Pick<Clock, 'mono'>
  readonly nodeDeadMs: number
}

/** Callbacks for the decision. Listeners are called in the order in which they were added, each when the one before is done. */
interface SuccessionListener {
  /** Called once, if this namenode is found to be behind after the listener was added. */
  behind?(): void
  /**
   * Called when this namenode is known to be the latest; again after a failure. `givenUp`: if an operator has confirmed that, the
   * datanodes in the journal that have not registered and will not come back.
   */
  sure?(givenUp: readonly NodeId[] | undefined): Promise<void>
}

/** State before this process raised the epoch. */
interface Past {
  readonly nextBlock: number
  /** Last epoch in which a namenode of this directory made changes. */
  readonly sureEpoch: number
}

type BeginOptions = Pick<SuccessionOptions, 'world' | 'journal' | 'dir' | 'beside'>

const justStarted = (): GristmillError =>
  new GristmillError('SAFE_MODE', 'this namenode has just started and takes over running jobs; try again in a moment')

const unshown = ({ epoch }: Seen): string => `its history does not include the namenode of epoch ${epoch}`

interface Refuted { readonly why: string; readonly seen: Seen }

/**
 * Reads the note of an earlier process. The directory may have been replaced since: if its history includes what was seen, the note is
 * removed.
 */
async function notedIn({ world: { disk, log }, journal: { view }, dir }: BeginOptions): Promise<Refuted | undefined> {
  const seen = await seenIn(disk, dir)
  if (!seen) return undefined
  const { verdict, why } = evidenceOf(view, seen, view.counters.nextBlock)
  if (verdict !== 'own') return { why: `${why ?? unshown(seen)}, as datanodes reported to an earlier process`, seen }
  log.info('the history of this namenode now includes what its datanodes had seen', { ...seen })
  await dropSeen(disk, dir)
  return undefined
}

function besideOf({ journal: { view }, beside }: BeginOptions): Refuted | undefined {
  // A new cluster: the datanode belongs to another one and refuses by itself.
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
  readonly #raising: Raising
  #read: { readonly epoch: number; readonly starts: Starts } | undefined
  #noted: Seen | undefined
  #behind: GristmillError | undefined
  readonly #witnesses: Witnesses
  readonly #listeners: SuccessionListener[] = []
  /** An operator has confirmed, in the witnesses' place, that this namenode is the latest. */
  #believed = false
  #sure = false
  /** The journal records that this namenode is the latest. */
  #journalled = false
  #looking: Promise<void> | undefined

  /** Raises the epoch if the namenode is not known to be behind. Throws errors of the journal, except that its disk is full for now. */
  static async begin(options: BeginOptions): Promise<(rest: Omit<SuccessionOptions, keyof BeginOptions>) => Promise<Succession>> {
    const past = pastOf(options.journal.view)
    const noted = await notedIn(options)
    const refuted = noted ?? besideOf(options)
    const raising = new Raising(options)
    if (!refuted) await raising.work()
    if (raising.refused)
      options.world.log.warn(
        'the epoch cannot be raised, because the disk cannot be written; reads work, and nothing is changed before it has been raised',
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
    this.#witnesses = new Witnesses(options)
  }

  listen(listener: SuccessionListener): void { this.#listeners.push(listener) }

  /** Cached by epoch: `last` and `rebuilt` change only when this process raises the epoch. */
  get #starts(): Starts {
    const { view } = this.#options.journal
    const { epoch } = view.counters
    if (this.#read?.epoch !== epoch) this.#read = { epoch, starts: startsOf(view) }
    return this.#read.starts
  }

  /** Error for every request; undefined while this namenode is not known to be behind. */
  get behind(): GristmillError | undefined { return this.#behind }

  /** Reason why nothing may be changed yet; undefined once the journal records that this namenode is the latest, or it is behind. */
  get doubt(): GristmillError | undefined {
    return this.#behind || this.#journalled ? undefined : this.#undecided ?? justStarted()
  }

  /** Missing evidence that this namenode is the latest; undefined if there is enough. */
  get #undecided(): GristmillError | undefined {
    if (this.#raising.refused) return this.#raising.refused
    return this.#believed || this.#witnesses.enough ? undefined : new GristmillError('SAFE_MODE', this.#witnesses.why(this.#past.sureEpoch))
  }

  /** Set while this namenode is the latest and has not taken over the jobs of the previous process. */
  get takeover(): GristmillError | undefined {
    return this.#sure || this.#behind || !this.#journalled ? undefined : justStarted()
  }

  /** An operator confirms that this namenode is the latest. Throws if it is behind, or if its disk is full. */
  async believe(): Promise<void> {
    this.#believed ||= !this.#witnesses.enough
    const why = this.#behind ?? this.#undecided
    if (why) throw why
    await this.#lookOnce()
  }

  /** Retries pending steps and tells listeners `sure` when they are done. Throws errors of listeners; the next call retries. */
  look(): Promise<void> { return this.#looking ??= this.#look().finally(() => { this.#looking = undefined }) }

  async #look(): Promise<void> {
    if (this.#sure || this.#behind) return
    await this.#raising.work()
    if (this.#undecided || this.behind) return
    const { journal, world: { clock } } = this.#options
    // Journalled before a datanode learns of this epoch as one with changes.
    if (!this.#journalled) await journal.submit(becameSure, { nowMs: Math.floor(clock.now()) })
    this.#journalled = true
    const givenUp = this.#believed ? this.#witnesses.missing : undefined
    for (const listener of this.#listeners) await listener.sure?.(givenUp)
    this.#sure = true
  }

  /** Position that is attached to every command to a datanode. */
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
   * A datanode with this record registers; `seen` is undefined for versions that send none. Throws STALE_EPOCH if the record exceeds
   * this namenode's history.
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
    // Refused even if the datanode has seen nothing: a namenode that is behind cannot use it.
    if (this.#behind) throw new GristmillError('STALE_EPOCH', this.#behind.message)
    if (verdict === 'unknown' && !this.#sure) {
      // After a registration it would remember this epoch, and its evidence of another copy would be lost.
      this.#witnesses.refused(node)
      throw this.doubt ?? justStarted()
    }
    this.#witnesses.registered(node, verdict)
    if (this.#sure) return
    // Before its attempts are taken over.
    await this.#lookOnce()
  }

  /** Logs a failure, which a chore retries: the caller that triggered the step must not fail because of it. */
  async #lookOnce(): Promise<void> {
    await this.look().catch((error: unknown) =>
      this.#options.world.log.warn('running jobs could not be taken over yet; it is tried again', { error: asError(error) }),
    )
  }

  async #fallBehind(why: string, seen: Seen): Promise<void> {
    const { world: { disk, log }, dir } = this.#options
    if (!this.#behind) {
      this.#behind = new GristmillError('SAFE_MODE', `this namenode is behind its cluster: ${why}. Its directory ${dir} is an old copy, or one of two copies. Nothing is changed or deleted. ` +
        `Stop it, and start the directory that was in use last; if there is none, stop it and run \`gristmill namenode recover --dir ${dir}\``, { details: { final: true, dir } })
      log.error('this namenode is behind its cluster and stays in safe mode', { error: this.#behind })
      for (const listener of this.#listeners) listener.behind?.()
    }
    if (this.#noted && this.#noted.epoch >= seen.epoch) return
    this.#noted = seen
    try {
      await noteSeen(disk, dir, seen)
    } catch (error) {
      log.warn('the position that datanodes have seen cannot be noted; they report it again at the next start', { error: asError(error) })
    }
  }
}
