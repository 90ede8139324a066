// Model of the namespace as clients know it, kept outside of the cluster: the contents that each path may have, given the calls that
// were acknowledged, refused, or ended without a reply. It never asks the cluster.
//
// A write may take effect at any moment between its call and its reply; one without a reply, at any moment after its call. So a path keeps
// all effects that may be the last: an effect is dropped once another, acknowledged one began after it was answered. The possible states
// of a path are those of its remaining effects.

import { contentKey, type Content } from './plan.ts'

export type State =
  | { readonly kind: 'absent' }
  | { readonly kind: 'directory' }
  | { readonly kind: 'file'; readonly content: Content }
  | { readonly kind: 'output'; readonly key: string }
export const absent: State = { kind: 'absent' }

interface Effect { readonly state: State; readonly began: number; ended: number; certain: boolean }

/** Snapshot of the model at some moment, for a state that may be restored from a backup. */
export interface Mark {
  readonly began: number
  readonly paths: ReadonlyMap<string, readonly Effect[]>
  /** Effects of calls that began while the backup was made: it may contain each, also one that a later call has superseded. */
  readonly during: Map<string, Effect[]>
  /** Paths whose state in the backup is not known. */
  readonly forgotten: Set<string>
  ended: number
}

/** A call that was made and may take effect. One of the first three methods reports its outcome. */
export interface Pending {
  /** It took effect, once, before now. */
  acknowledged(): void
  /** It had no effect and never will. */
  refused(): void
  /** The outcome is unknown; it may still take effect. */
  unknown(): void
  /** For each of its paths: all states that the path may have had since the call, by other calls. */
  others(): State[][]
}

export class Acks {
  readonly #paths = new Map<string, Effect[]>()
  /** Every call that may have changed a path. */
  readonly #history: Array<{ readonly path: string; readonly began: number; readonly isOutput: boolean }> = []
  readonly #removed = new Map<string, State>()
  readonly #bounds = new Set<string>()
  readonly #observed = new Map<string, Set<Map<string, State>>>()
  /** Marks of backups that are being made. */
  readonly #open = new Set<Mark>()
  /** Paths of which all knowledge was dropped, until their state is certain again. */
  readonly #forgotten = new Set<string>()
  /** Order of events in this model; independent of time. */
  #step = 0
  /** Step of the last restored backup: outcomes of calls that began before it are not trusted. */
  #restored = 0
  acknowledged = 0
  unknowns = 0
  refusals = 0
  bytes = 0

  /** Announces a call that would set these paths to these states. */
  begin(changes: ReadonlyMap<string, State>): Pending {
    const began = ++this.#step
    const before = new Map([...changes.keys()].map(path => [path, this.certain(path)]))
    const observers = [...changes.keys()].map(path => this.observe(path))
    const own = new Set([...changes.keys()].map(path => [...this.#observed.get(path)!].at(-1)!))
    const effects = [...changes].map(([path, state]) => {
      const effect: Effect = { state, began, ended: Infinity, certain: false }
      this.#of(path).push(effect)
      this.#history.push({ path, began, isOutput: state.kind === 'output' })
      for (const { during } of this.#open) during.set(path, [...during.get(path) ?? [], effect])
      for (const seen of this.#observed.get(path) ?? []) if (!own.has(seen)) seen.set(keyOf(state), state)
      return { path, effect }
    })
    // A call that began before a restore may have taken effect before it and be forgotten.
    const doubtful = (): boolean => began < this.#restored
    return {
      acknowledged: () => {
        this.acknowledged++
        if (doubtful()) return
        const ended = ++this.#step
        for (const { path, effect } of effects) {
          const was = before.get(path)
          if (effect.state.kind === 'absent' && was?.kind === 'file' && changes.size === 1) this.#removed.set(path, was)
          else this.#removed.delete(path)
          effect.ended = ended
          effect.certain = true
          this.#forgotten.delete(path)
          if (effect.state.kind === 'file') this.bytes += effect.state.content.bytes
          const all = this.#of(path)
          this.#paths.set(path, all.filter(other => other === effect || other.ended > effect.began))
        }
      },
      refused: () => {
        this.refusals++
        if (doubtful()) return
        for (const { path, effect } of effects) this.#paths.set(path, this.#of(path).filter(other => other !== effect))
      },
      unknown: () => { this.unknowns++ },
      others: () => observers.map(stop => stop()),
    }
  }

  /** Collects all states that the path may have from now on; the returned function stops that and returns them. */
  observe(path: string): () => State[] {
    const seen = new Map(this.possible(path).map(state => [keyOf(state), state]))
    const all = this.#observed.get(path) ?? new Set()
    this.#observed.set(path, all.add(seen))
    return () => {
      all.delete(seen)
      return [...seen.values()]
    }
  }

  /** Sets the possible states of paths that changed by other means. */
  derive(states: ReadonlyMap<string, readonly State[]>): void {
    const began = ++this.#step
    for (const [path, possible] of states) {
      if (possible.length === 1) this.#forgotten.delete(path)
      this.#paths.set(
        path,
        possible.map(state => ({ state, began, ended: began, certain: possible.length === 1 })),
      )
    }
  }

  /** Calls that are still under way may set the path to each of these states, at any time. */
  also(path: string, states: readonly State[]): void {
    const began = ++this.#step
    for (const state of states) {
      this.#of(path).push({ state, began, ended: Infinity, certain: false })
      for (const seen of this.#observed.get(path) ?? []) seen.set(keyOf(state), state)
    }
  }

  /** Drops all knowledge of these paths. */
  forget(paths: readonly string[]): void {
    for (const path of paths) {
      this.#paths.delete(path)
      for (const known of [this.#forgotten, ...[...this.#open].map(({ forgotten }) => forgotten)]) known.add(path)
    }
  }

  /** State of the path before its removal, if the removal was certain and the last change. */
  removed(path: string): State | undefined { return this.#removed.get(path) }

  /** A quota was requested for this directory: calls below it may be refused with EDQUOT. */
  bound(path: string): void { this.#bounds.add(path) }
  isBounded(path: string): boolean { return [...this.#bounds].some(bound => path.startsWith(`${bound}/`)) }

  /** True if an old state was restored at least once. */
  get restored(): boolean { return this.#restored > 0 }
  /** Changes with each restore. */
  get era(): number { return this.#restored }

  /** Takes a snapshot of the model when a backup begins; `markEnds` is called when the backup is complete. */
  mark(): Mark {
    const paths = new Map([...this.#paths].map(([path, effects]) => [path, [...effects]]))
    const mark: Mark = { began: ++this.#step, paths, during: new Map(), forgotten: new Set(this.#forgotten), ended: Infinity }
    this.#open.add(mark)
    return mark
  }
  markEnds(mark: Mark): void {
    mark.ended = ++this.#step
    this.#open.delete(mark)
  }

  /** A backup was restored: all paths may be as they were then, and calls under way may still take effect. */
  restore(mark: Mark): void {
    this.#restored = ++this.#step
    // The backup has a state of them that the model did not know.
    this.forget([...mark.forgotten])
    for (const [path, now] of this.#paths) {
      const before = mark.paths.get(path) ?? [initial()]
      const later = now.filter(effect => effect.began < mark.ended || !effect.certain)
      const effects = [...new Set([...before, ...mark.during.get(path) ?? [], ...later])]
      this.#paths.set(path, effects)
      for (const seen of this.#observed.get(path) ?? []) for (const { state } of effects) seen.set(keyOf(state), state)
    }
  }

  /**
   * True if a call changed the path after the mark, so that blocks of its earlier content may have been deleted. A call that replaces an
   * output or rolls it back may free any of its versions, and those are directories of parts.
   */
  touchedSince(path: string, mark: Mark): boolean {
    const isOfOutput = (output: string): boolean => path.startsWith(`${output}/`) || path.startsWith(`${output}@`)
    return this.#history.some(touch => touch.began > mark.began && (touch.path === path || touch.isOutput && isOfOutput(touch.path)))
      || (mark.paths.get(path)?.length ?? 0) > 1
  }

  /** Possible states of the path, at least one. */
  possible(path: string): State[] {
    const states = new Map(this.#of(path).map(({ state }) => [keyOf(state), state]))
    return [...states.values()]
  }

  /** The only possible state; undefined if there are several. */
  certain(path: string): State | undefined {
    const states = this.possible(path)
    return states.length === 1 ? states[0] : undefined
  }

  /** Step at which the call began that gave the path its state; undefined: others may have given it one, or may still do so. */
  settled(path: string): number | undefined {
    const [only, ...others] = this.#of(path)
    return others.length === 0 && only?.certain ? only.began : undefined
  }

  get paths(): string[] { return [...this.#paths.keys()].sort() }

  #of(path: string): Effect[] {
    let effects = this.#paths.get(path)
    if (!effects) this.#paths.set(path, effects = [initial()])
    return effects
  }
}

const initial = (): Effect => ({ state: absent, began: 0, ended: 0, certain: true })

export const keyOf = (state: State): string =>
  state.kind === 'file' ? `file ${contentKey(state.content)}` : state.kind === 'output' ? `output ${state.key}` : state.kind
