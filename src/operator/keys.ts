// Steps that give values their keys: the last ones before a shuffle, whose pairs go to the sink. `key` pairs each value with its key;
// `top` passes on the values with the smallest keys only; `sampleKeys` measures the distribution of keys for a sort.

import type { Emit, Key } from '../base/pair.ts'
import { GrowingBuffer } from '../shuffle/buffer.ts'
import { compareKeys, encodeKey } from '../shuffle/key.ts'
import { KeySampler } from '../shuffle/ranges.ts'
import type { ValueFunction } from './each.ts'
import { keptValue } from './kept.ts'
import type { Step } from './operator.ts'

const end = (): undefined => undefined

interface KeyFunctions { readonly key?: ValueFunction | undefined; readonly value?: ValueFunction | undefined }

/** Tasks of few values must not all begin with the same partition. */
const firstMax = 1_000_000

/** Without a function for keys they are integers in turn, from one that depends on the task. */
export function keyStep(
  { key, value: valueOf }: KeyFunctions, context: { random(): number }, emit: Emit<Key, unknown>,
): Step<unknown> {
  let count = key ? 0 : Math.floor(context.random() * firstMax)
  return {
    push(value) {
      emit(key ? key(value, context) as Key : count++, valueOf ? valueOf(value, context) : value)
      return undefined
    },
    finish: end,
  }
}

/** Emits one pair: null, and the sample (KeySample). */
export function sampleKeysStep(
  key: ValueFunction, context: unknown, random: () => number, emit: Emit<Key, unknown>,
): Step<unknown> {
  const sampler = new KeySampler(random)
  return {
    push(value) {
      sampler.add(key(value, context) as Key)
      return undefined
    },
    finish() {
      emit(null, sampler.sample)
      return undefined
    },
  }
}

interface Kept { readonly bytes: Buffer; readonly key: Key; readonly value: unknown }

/** Emits the `count` values with the smallest keys; of equal keys the earlier ones. Memory: twice `count` values. */
export function topStep(count: number, key: ValueFunction, context: unknown, emit: Emit<Key, unknown>): Step<unknown> {
  let kept: Kept[] = []
  /** Largest key among the `count` smallest so far. */
  let last: Buffer | undefined
  const scratch = new GrowingBuffer(256)
  const cut = (): void => {
    // Stable: earlier values stay before later ones with the same key.
    kept.sort((a, b) => compareKeys(a.bytes, 0, a.bytes.length, b.bytes, 0, b.bytes.length))
    kept = kept.slice(0, count)
    if (kept.length === count) last = kept.at(-1)?.bytes
  }
  return {
    push(value) {
      const its = key(value, context) as Key
      scratch.length = 0
      encodeKey(its, scratch)
      if (count === 0 || (last && compareKeys(scratch.bytes, 0, scratch.length, last, 0, last.length) >= 0)) return undefined
      kept.push({ bytes: Buffer.from(scratch.bytes.subarray(0, scratch.length)), key: keptValue(its) as Key, value: keptValue(value) })
      if (kept.length >= count * 2) cut()
      return undefined
    },
    finish() {
      cut()
      for (const each of kept) emit(each.key, each.value)
      return undefined
    },
  }
}
