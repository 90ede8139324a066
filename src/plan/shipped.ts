// Values that a program broadcasts: computed where the program is started, and read once by each process that runs its functions. Each is a
// step of the program without a job. A small value travels in the history of the program; a larger one is a file of the cluster that its
// user alone may read, which is removed when the program ends.

import { createHash } from 'node:crypto'
import { GristmillError } from '../base/errors.ts'
import type { Recipe } from '../program/recipe.ts'
import { GrowingBuffer } from '../shuffle/buffer.ts'
import { unchangeable } from '../shuffle/unchangeable.ts'
import { decodeValue } from '../shuffle/decode.ts'
import { encodeValue } from '../shuffle/value.ts'

/** Method of the steps that broadcast a value. */
export const broadcastMethod = 'broadcast'

/** Plan of such a step: the same for all values, which are not compared. Nothing runs it. */
export const shippingRoot = (): Recipe => ({
  kind: 'write', inputs: [{ kind: 'values', inputs: [], parts: 1, fn: nothing, digest: 'broadcast' }], result: true,
  output: { format: 'text' },
})

const nothing = (): readonly unknown[] => []

/** Throws EINVAL for a value that cannot travel. */
export function encodeShipped(value: unknown): Buffer {
  const buffer = new GrowingBuffer(256)
  try {
    // An array of one: the value itself may be undefined.
    encodeValue([value], buffer)
  } catch (error) {
    if (!(error instanceof GristmillError)) throw error
    throw new GristmillError(error.code, error.message.replace(/^emit was given/, 'broadcast was given'), { cause: error })
  }
  return Buffer.from(buffer.bytes.subarray(0, buffer.length))
}

/** Returns a value that cannot be changed, except bytes. Throws CORRUPT. */
export function decodeShipped(bytes: Buffer): unknown {
  const value = decodeValue(bytes, 0, bytes.length)
  if (Array.isArray(value) && value.length === 1) return unchangeable(value[0])
  throw new GristmillError('CORRUPT', 'a value that the program has broadcast is damaged')
}

export const shippedHash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
