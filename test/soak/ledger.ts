// Ledger of acknowledged calls, kept outside of the cluster: in memory, and line by line in a file. A path belongs to one worker, so its
// possible states are always known: one content, nothing, or, after a call without a reply, either.

import { createHash } from 'node:crypto'
import { appendFileSync } from 'node:fs'
import { seeded } from '../../src/world/random.ts'

/** Seed, length and number of replicas: enough to write a file again and to compare it. `undefined`: no file. */
export type State = { readonly seed: number; readonly bytes: number; readonly replication: number } | undefined

/** State of a path as read from the cluster. */
export type Found = { readonly bytes: Buffer; readonly replication: number } | undefined

const same = (a: State, b: State): boolean => a?.seed === b?.seed && a?.bytes === b?.bytes && a?.replication === b?.replication

/** Lines of text, so that jobs can read them too. */
export function contentOf({ seed, bytes }: Pick<NonNullable<State>, 'seed' | 'bytes'>): Buffer {
  const random = seeded(`content ${seed}`)
  // Every line differs, and every byte of it depends on the seed: a block of another file is always noticed.
  const salt = random.id()
  const line = (n: number): string => `${salt} ${n} ${createHash('sha256').update(`${salt} ${n}`).digest('base64')}\n`
  const lines: string[] = []
  for (let length = 0, n = 0; length < bytes; n++) length += lines[lines.push(line(n)) - 1]!.length
  return Buffer.from(lines.join('')).subarray(0, bytes)
}

export class Ledger {
  readonly #file: string
  readonly #paths = new Map<string, readonly State[]>()
  acknowledged = 0
  /** Number of calls with an unknown outcome. */
  unknown = 0

  constructor(file: string) { this.#file = file }

  /** Possible states of a path. */
  at(path: string): readonly State[] { return this.#paths.get(path) ?? [undefined] }
  paths(): IterableIterator<string> { return this.#paths.keys() }

  /** Records an acknowledged call. */
  is(path: string, state: State): void {
    this.acknowledged++
    this.#set(path, [state])
  }

  /** Records a call without a reply: the old or the new state. */
  maybe(path: string, state: State): void {
    this.unknown++
    const states = this.at(path)
    if (!states.some(other => same(other, state))) this.#set(path, [...states, state])
  }

  /** Records the state read from the cluster. Returns a description if it is impossible, undefined otherwise. */
  seen(path: string, found: Found): string | undefined {
    const states = this.at(path)
    const state = states.find(one =>
      one ? found !== undefined && found.replication === one.replication && found.bytes.equals(contentOf(one)) : found === undefined,
    )
    if (state || states.includes(undefined) && !found) {
      this.#set(path, [state])
      return undefined
    }
    const there = found ? `has ${found.bytes.length} bytes, which shall have ${found.replication} replicas` : 'is not there'
    return `${path} ${there}; it should be ` +
      `${states.map(one => (one ? `${one.bytes} bytes of seed ${one.seed} with ${one.replication} replicas` : 'absent')).join(' or ')}`
  }

  #set(path: string, states: readonly State[]): void {
    this.#paths.set(path, states)
    appendFileSync(this.#file, `${JSON.stringify({ path, states: states.map(state => state ?? null) })}\n`)
  }
}
