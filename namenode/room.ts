// Contract between the namenode's root and its rooms, and the list that joins them. A room is a folder of the namenode; it says here which
// messages it answers, which periodic work it does, which operations of the journal are its own, and what it does when the namenode starts
// and stops. namenode.ts folds the list of rooms.ts and knows none of them by name.
//
// Order of a list: a room is opened with what the namenode and earlier rooms have made (the compiler refuses a list in which a room needs
// something that no earlier one makes), and is told by events what later rooms and datanodes do. Rooms stop in reverse order.

import { assert } from '../src/base/assert.ts'
import type { Route } from '../src/rpc/serve.ts'
import type { Registry as Metrics } from '../src/rpc/metrics.ts'
import type { Chore } from './chores.ts'
import type { AnyMutation } from './journal/operation.ts'

/**
 * States of the namenode (succession/authority.ts) in which a message is answered.
 * `active`: default. Reads unless the namenode is behind its cluster; mutations only if everything may be changed.
 * `safemode`: the same, and mutations also in an operator's safe mode.
 * `always`: not checked, for messages by which the state is found, shown or changed.
 */
export type Answered = 'active' | 'safemode' | 'always'

export interface RoomRoute extends Route { readonly answered?: Answered }

/** Declares routes that are answered in other states than `active`. */
export const answered = (states: Answered, routes: readonly Route[]): RoomRoute[] => routes.map(each => ({ ...each, answered: states }))

/** An open room. The hooks are named in the order in which the root calls them. */
interface Room<Made extends object> {
  /** Objects that later rooms may use. */
  readonly made?: Made
  readonly routes?: readonly RoomRoute[]
  readonly chores?: readonly Chore[]
  /** Wraps the routes of all rooms with a check of this one; the checks of earlier rooms come first. */
  readonly gate?: ((route: RoomRoute) => RoomRoute) | undefined
  /** Wraps the chores of all rooms, as `gate` does the routes. */
  readonly gateChore?: ((chore: Chore) => Chore) | undefined
  /** Registers metrics. */
  expose?(metrics: Metrics): void
  /** Work before the first message is answered. If it throws, the namenode does not start. */
  begin?(): Promise<void>
  /** Messages are answered from now on, and chores run: other background work begins. */
  start?(): void
  /** The namenode stops: answers calls that wait, and cuts long work short. Chores still run, and the port is still open. */
  quit?(): void
  /** Ends background work. No calls come and no chores run any more; what earlier rooms have made, journal and store are still open. */
  stop?(): void | Promise<void>
  /** Throws AssertionFailed if state that is kept by hand differs from a recount. Called by tests and simulations only, between events. */
  checkState?(): void
}

export interface RoomKind<Needs, Made extends object> {
  /** For errors. */
  readonly name: string
  /** Operations of the journal that the room submits, or has submitted in earlier versions: a released one stays for ever. */
  readonly mutations: readonly AnyMutation[]
  /** Starts no background work and answers nothing yet. */
  readonly open: (needs: Needs) => Room<Made> | Promise<Room<Made>>
}

/** Infers the types of a room. */
export const room = <Needs, Made extends object = object>(kind: RoomKind<Needs, Made>): RoomKind<Needs, Made> => kind

/** Rooms in the order in which they are opened. `Ground`: what the root gives to all; `Have`: that, and what the rooms make. */
export class RoomList<Ground extends object, Have extends Ground = Ground> {
  readonly #kinds: ReadonlyArray<RoomKind<never, object>>

  constructor(kinds: ReadonlyArray<RoomKind<never, object>> = []) { this.#kinds = kinds }

  /** Appends a room. It may need all that the list has so far. */
  with<Made extends object>(kind: RoomKind<Have, Made>): RoomList<Ground, Have & Made> { return new RoomList([...this.#kinds, kind]) }

  get names(): string[] { return this.#kinds.map(each => each.name) }

  get mutations(): readonly AnyMutation[] { return this.#kinds.flatMap(each => each.mutations) }

  async open(ground: Ground): Promise<OpenRooms<Have>> {
    let have: object = ground
    const opened: Array<Room<object>> = []
    for (const kind of this.#kinds) {
      const each = await kind.open(have as never)
      opened.push(each)
      for (const name of Object.keys(each.made ?? {}))
        assert(!(name in have), `the room ${kind.name} makes ${name}, which is there already`)
      have = { ...have, ...each.made }
    }
    return new OpenRooms(opened, have as Have)
  }
}

export class OpenRooms<Have extends object> {
  readonly all: ReadonlyArray<Room<object>>
  /** The objects that the root has given and all rooms have made. */
  readonly have: Have

  constructor(all: ReadonlyArray<Room<object>>, have: Have) {
    this.all = all
    this.have = have
  }

  /** Routes of all rooms behind the checks of all rooms. */
  get routes(): Route[] { return gated(this.all.flatMap(each => each.routes ?? []), this.all.map(each => each.gate)) }
  get chores(): Chore[] { return gated(this.all.flatMap(each => each.chores ?? []), this.all.map(each => each.gateChore)) }
}

/** The last gate is the innermost. */
const gated = <T>(all: readonly T[], gates: ReadonlyArray<((each: T) => T) | undefined>): T[] =>
  all.map(each => gates.reduceRight((inner, gate) => gate?.(inner) ?? inner, each))
