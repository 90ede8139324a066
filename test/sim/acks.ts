// What clients were told, kept outside of the cluster: which contents a path may have now, given which calls were
// acknowledged, refused, or ended without an answer. Nothing here asks the cluster.
//
// A write may have acted at any moment between its call and its answer, and one without an answer at any moment after its
// call. So a path keeps all the effects that may be the last: an effect is out of question once another one, acknowledged, began
// after it was answered. A path's possible states are those of its remaining effects.

import { contentKey, type Content } from './plan.ts'

export type State =
  | { readonly kind: 'absent' }
  | { readonly kind: 'directory' }
  | { readonly kind: 'file'; readonly content: Content }
  | { readonly kind: 'output'; readonly key: string }
export const absent: State = { kind: 'absent' }

interface Effect { readonly state: State; readonly began: number; ended: number; certain: boolean }

/** What every path might be at some moment, for a state that may come back. */
export interface Mark { readonly began: number; readonly paths: ReadonlyMap<string, readonly Effect[]>; ended: number }

/** A call that is out: it may have acted. `settle` says how it ended. */
export interface Pending {
  /** It happened, once, before now. */
  acknowledged(): void
  /** It did not happen and never will. */
  refused(): void
  /** Nobody knows, and it may still happen. */
  unknown(): void
  /** States that these paths may have had since it was made, by the doing of others. */
  others(): State[][]
}

export class Acks {
  readonly #paths = new Map<string, Effect[]>()
  /** Every call that would change a path. */
  readonly #history: Array<{ readonly path: string; readonly began: number }> = []
  readonly #removed = new Map<string, State>()
  readonly #bounds = new Set<string>()
  readonly #observed = new Map<string, Set<Map<string, State>>>()
  /** Order of what happened in this journal; it has nothing to do with time. */
  #step = 0
  /** An old state has come back: until then, and a while after, nothing is as it was told. */
  #restored = 0
  acknowledged = 0
  unknowns = 0
  refusals = 0
  bytes = 0

  /** A call that would make these paths so is about to be made. */
  begin(changes: ReadonlyMap<string, State>): Pending {
    const began = ++this.#step
    const before = new Map([...changes.keys()].map(path => [path, this.certain(path)]))
    const observers = [...changes.keys()].map(path => this.observe(path))
    const own = new Set([...changes.keys()].map(path => [...this.#observed.get(path)!].at(-1)!))
    const effects = [...changes].map(([path, state]) => {
      const effect: Effect = { state, began, ended: Infinity, certain: false }
      this.#of(path).push(effect)
      this.#history.push({ path, began })
      for (const seen of this.#observed.get(path) ?? []) if (!own.has(seen)) seen.set(keyOf(state), state)
      return { path, effect }
    })
    // What began before an old state came back may have happened before, and be forgotten.
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

  /** Gathers all states that the path may have from now on, until it is told to stop and gives them. */
  observe(path: string): () => State[] {
    const seen = new Map(this.possible(path).map(state => [keyOf(state), state]))
    const all = this.#observed.get(path) ?? new Set()
    this.#observed.set(path, all.add(seen))
    return () => {
      all.delete(seen)
      return [...seen.values()]
    }
  }

  /** These paths have one of these states from now on, by what was done elsewhere. */
  derive(states: ReadonlyMap<string, readonly State[]>): void {
    const began = ++this.#step
    for (const [path, possible] of states)
      this.#paths.set(
        path,
        possible.map(state => ({ state, began, ended: began, certain: possible.length === 1 })),
      )
  }

  /** Nothing is claimed of these paths any more. */
  forget(paths: readonly string[]): void { for (const path of paths) this.#paths.delete(path) }

  /** What the path was when it was removed, if that was the last thing that happened to it, and certain. */
  removed(path: string): State | undefined { return this.#removed.get(path) }

  /** A quota of this directory has been asked for: what is below it may be refused for it. */
  bound(path: string): void { this.#bounds.add(path) }
  isBounded(path: string): boolean { return [...this.#bounds].some(bound => path.startsWith(`${bound}/`)) }

  /** An old state has come back at least once. */
  get restored(): boolean { return this.#restored > 0 }

  /** A state begins to be kept that may come back; its end is told by `markEnds`. */
  mark(): Mark {
    return { began: ++this.#step, paths: new Map([...this.#paths].map(([path, effects]) => [path, [...effects]])), ended: Infinity }
  }
  markEnds(mark: Mark): void { mark.ended = ++this.#step }

  /** A kept state has come back: all may be as it was then, and what was under way may happen still. */
  restore(mark: Mark): void {
    this.#restored = ++this.#step
    for (const [path, now] of this.#paths) {
      const before = mark.paths.get(path) ?? [initial()]
      const during = now.filter(effect => effect.began < mark.ended || !effect.certain)
      const effects = [...new Set([...before, ...during])]
      this.#paths.set(path, effects)
      for (const seen of this.#observed.get(path) ?? []) for (const { state } of effects) seen.set(keyOf(state), state)
    }
  }

  /** Has anything been done to this path since the mark was made? Then some of what it was made of may have been removed. */
  touchedSince(path: string, mark: Mark): boolean {
    return this.#history.some(touch => touch.path === path && touch.began > mark.began) || (mark.paths.get(path)?.length ?? 0) > 1
  }

  /** States that the path may have now, at least one. */
  possible(path: string): State[] {
    const states = new Map(this.#of(path).map(({ state }) => [keyOf(state), state]))
    return [...states.values()]
  }

  /** The one state that it must have; undefined if there are several. */
  certain(path: string): State | undefined {
    const states = this.possible(path)
    return states.length === 1 ? states[0] : undefined
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
