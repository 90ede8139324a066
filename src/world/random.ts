// Randomness of the operating system for processes, and a seeded generator for tests and simulations. Bytes of the system generator
// are drawn in pools: one system call for many small draws.

import { randomFillSync } from 'node:crypto'
import type { Random } from '../ports/random.ts'

/** 4 KiB: about 340 ids per system call. */
const poolBytes = 4096

class SystemRandom implements Random {
  readonly #pool = Buffer.allocUnsafeSlow(poolBytes)
  #used = poolBytes

  /** The next `count` bytes of the pool; valid until the next draw. */
  #draw(count: number): Buffer {
    if (this.#used + count > poolBytes) {
      randomFillSync(this.#pool)
      this.#used = 0
    }
    const bytes = this.#pool.subarray(this.#used, this.#used + count)
    this.#used += count
    return bytes
  }

  float(): number { return this.#draw(6).readUIntBE(0, 6) / 2 ** 48 }
  below(bound: number): number { return Math.floor(this.float() * bound) }
  id(): string { return this.#draw(12).toString('hex') }

  /** Never from the pool: these bytes become secrets, which must not be in memory twice. */
  bytes(count: number): Uint8Array { return randomFillSync(new Uint8Array(count)) }
}

/** The 32-bit generator sfc32 (Chris Doty-Humphrey): 128 bits of state, period over 2^64, passes PractRand. */
class SeededRandom implements Random {
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(seed: string | number) {
    // FNV-1a over the seed's text with three offsets: similar seeds must not give similar streams; the warm-up mixes the rest.
    const text = String(seed)
    const hash = (start: number): number => {
      let h = start
      for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
      return h >>> 0
    }
    this.#a = hash(0x811c9dc5)
    this.#b = hash(0x9e3779b9)
    this.#c = hash(0x85ebca6b)
    for (let i = 0; i < 16; i++) this.#next()
  }

  #next(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0
    return sum >>> 0
  }

  float(): number { return (this.#next() * 2 ** 16 + (this.#next() >>> 16)) / 2 ** 48 }
  below(bound: number): number { return Math.floor(this.float() * bound) }

  bytes(count: number): Uint8Array {
    const bytes = new Uint8Array(count)
    for (let i = 0; i < count; i++) bytes[i] = this.#next() >>> 24
    return bytes
  }

  id(): string { return Buffer.from(this.bytes(12)).toString('hex') }
}

export const systemRandom = (): Random => new SystemRandom()

/** The same seed must give the same numbers in all versions: tests keep failing seeds. */
export const seeded = (seed: string | number): Random => new SeededRandom(seed)
