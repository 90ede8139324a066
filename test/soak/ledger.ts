// What was acknowledged, kept outside of the cluster: in memory, and line by line in a file. A path belongs to one worker, so at each
// moment it is known what may be there: one content, nothing, or, after a call without an answer, either.

import { createHash } from 'node:crypto'
import { appendFileSync } from 'node:fs'
import { seeded } from '../../src/world/random.ts'

/** Enough to write a file again and to compare it: its seed and length, and its number of replicas. `undefined`: nothing is there. */
export type State = { readonly seed: number; readonly bytes: number; readonly replication: number } | undefined

/** What the cluster says of a path. */
export type Found = { readonly bytes: Buffer; readonly replication: number } | undefined

const same = (a: State, b: State): boolean => a?.seed === b?.seed && a?.bytes === b?.bytes && a?.replication === b?.replication

/** Lines of text, so that jobs could read them too. */
export function contentOf({ seed, bytes }: Pick<NonNullable<State>, 'seed' | 'bytes'>): Buffer {
  const random = seeded(`content ${seed}`)
  // Every line differs, and every byte of it depends on the seed: a block of another file is never mistaken for this one's.
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
  /** Calls whose outcome nobody knows. */
  unknown = 0

  constructor(file: string) { this.#file = file }

  /** What may be at a path. */
  at(path: string): readonly State[] { return this.#paths.get(path) ?? [undefined] }
  paths(): IterableIterator<string> { return this.#paths.keys() }

  /** The call was acknowledged: it is so. */
  is(path: string, state: State): void {
    this.acknowledged++
    this.#set(path, [state])
  }

  /** A call without an answer: it is as before, or so. */
  maybe(path: string, state: State): void {
    this.unknown++
    const states = this.at(path)
    if (!states.some(other => same(other, state))) this.#set(path, [...states, state])
  }

  /** The cluster was asked and has said what is there. undefined: it may be so; else what is wrong. */
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
    return `${path} ${there}; it should be ${states.map(one => (one ? `${one.bytes} bytes of seed ${one.seed} with ${one.replication} replicas` : 'absent')).join(' or ')}`
  }

  #set(path: string, states: readonly State[]): void {
    this.#paths.set(path, states)
    appendFileSync(this.#file, `${JSON.stringify({ path, states: states.map(state => state ?? null) })}\n`)
  }
}
