// Checksums of whole files: those that a server gives in its headers, those that a user gives, and their comparison with the bytes.

import { crc32c } from '@node-rs/crc32'
import { createHash } from 'node:crypto'
import { GristmillError } from '../base/errors.ts'
import type { FileSum } from './connector.ts'

/** Bytes of each. */
const lengths = { sha256: 32, sha1: 20, md5: 16, crc32c: 4 } as const
const isKnown = (name: string): name is FileSum['algorithm'] => Object.hasOwn(lengths, name)

/** `sha256:HEX`. Throws EINVAL. */
export function parseChecksum(text: string): FileSum {
  const [name = '', hex = ''] = text.toLowerCase().split(':')
  const algorithm = name.replace('-', '')
  if (isKnown(algorithm) && new RegExp(`^[0-9a-f]{${lengths[algorithm] * 2}}$`).test(hex)) return { algorithm, hex }
  throw new GristmillError(
    'EINVAL', `${JSON.stringify(text)} is no checksum; write sha256:, sha1:, md5: or crc32c: and the digits in hexadecimal`,
  )
}

/** Checksums of the whole file among the headers of a reply: Repr-Digest, Digest, x-amz-checksum-*, x-goog-hash. */
export function sumsOf(headers: Readonly<Record<string, string>>): FileSum[] {
  const found: FileSum[] = []
  const add = (name: string, base64: string): void => {
    const algorithm = name.toLowerCase().replace('-', '')
    const bytes = Buffer.from(base64, 'base64')
    if (isKnown(algorithm) && bytes.length === lengths[algorithm]) found.push({ algorithm, hex: bytes.toString('hex') })
  }
  for (const [, name, value] of (headers['repr-digest'] ?? '').matchAll(/([\w-]+)=:([\w+/=]+):/g)) add(name!, value!)
  for (const header of ['digest', 'x-goog-hash'])
    for (const [, name, value] of (headers[header] ?? '').matchAll(/([\w-]+)=([\w+/]+=*)/g)) add(name!, value!)
  // The value of an object that was sent in parts ends in `-N`: it is a checksum of the checksums of its parts.
  for (const name of ['sha256', 'sha1', 'crc32c']) {
    const value = headers[`x-amz-checksum-${name}`]
    if (value !== undefined && !value.includes('-')) add(name, value)
  }
  return found
}

/** Passes bytes on, and throws CORRUPT behind the last one if a checksum is another. */
export async function* checked(
  bytes: AsyncIterable<Uint8Array>, sums: readonly FileSum[], shown: string,
): AsyncGenerator<Uint8Array> {
  const running = sums.map(sum => ({ sum, ...runningSum(sum.algorithm) }))
  for await (const piece of bytes) {
    for (const { update } of running) update(piece)
    yield piece
  }
  for (const { sum: { algorithm, hex }, digest } of running) {
    const found = digest()
    if (found !== hex)
      throw new GristmillError('CORRUPT', `${shown}: the ${algorithm} of the bytes that came is ${found}, not ${hex}; nothing was stored`)
  }
}

function runningSum(algorithm: FileSum['algorithm']): { update: (piece: Uint8Array) => void; digest: () => string } {
  if (algorithm !== 'crc32c') {
    const hash = createHash(algorithm)
    return { update: piece => { hash.update(piece) }, digest: () => hash.digest('hex') }
  }
  let crc = 0
  return {
    update: piece => { crc = crc32c(Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength), crc) },
    digest: () => crc.toString(16).padStart(8, '0'),
  }
}
