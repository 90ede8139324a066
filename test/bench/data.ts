// Benchmark data, made from a seed and kept between runs in the system's temporary directory.

import { closeSync, existsSync, mkdirSync, openSync, renameSync, statSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const directory = join(tmpdir(), 'gristmill-bench')

/** A small fast generator (xorshift32), the same numbers on every machine. */
export function generator(seed: number): () => number {
  let state = seed | 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

function cached(name: string, bytes: number, write: (fd: number) => void): string {
  mkdirSync(directory, { recursive: true })
  const path = join(directory, `${name}-${bytes}`)
  if (existsSync(path) && statSync(path).size >= bytes * 0.99) return path
  const temporary = `${path}.part`
  const fd = openSync(temporary, 'w')
  try { write(fd) } finally { closeSync(fd) }
  renameSync(temporary, path)
  return path
}

/** Lines of about 80 letters, words by Zipf's law (s = 1) over 100,000 words: the shape of natural text. */
export function text(bytes: number): string {
  return cached('text', bytes, fd => {
    const next = generator(42)
    const letters = 'etaoinshrdlucmfwypvbgkjqxz'
    const words = Array.from({ length: 100_000 }, (_, rank) => {
      let word = ''
      const length = 2 + Math.floor(Math.log2(rank + 2) / 2 + next() * 4)
      for (let i = 0; i < length; i++) word += letters[Math.floor(next() * next() * 26)]
      return word
    })
    let written = 0
    let line = ''
    while (written < bytes) {
      const parts: string[] = []
      let size = 0
      while (size < 1 << 20) {
        // Inverse of the harmonic sum: rank = e^(u·ln n).
        const word = words[Math.floor(Math.exp(next() * Math.log(words.length + 1))) - 1]!
        line = line === '' ? word : `${line} ${word}`
        if (line.length > 76) { parts.push(line); size += line.length + 1; line = '' }
      }
      written += writeSync(fd, `${parts.join('\n')}\n`)
    }
  })
}

/** Records of 100 bytes: a random key of 10 printable letters, a space, 88 bytes of filling, a newline. */
export function records(bytes: number): string {
  return cached('records', bytes, fd => {
    const next = generator(7)
    const filling = 'gristmill stores data where it is ground '.repeat(3).slice(0, 88)
    const count = Math.floor(bytes / 100)
    const piece = Buffer.alloc(100 * 10_000)
    for (let done = 0; done < count;) {
      const n = Math.min(10_000, count - done)
      for (let i = 0; i < n; i++) {
        const at = i * 100
        for (let k = 0; k < 10; k++) piece[at + k] = 33 + Math.floor(next() * 94)
        piece[at + 10] = 32
        piece.write(filling, at + 11, 'latin1')
        piece[at + 99] = 10
      }
      writeSync(fd, piece, 0, n * 100)
      done += n
    }
  })
}
