// Replaces Math.random and Date.now by the simulation's own while one runs: a library that uses them directly, to stamp its objects
// for instance, must not make two runs differ. Undone when the last simulation has ended.

import type { Kernel } from './kernel.ts'

const real = { random: Math.random, now: Date.now }
let running = 0

export function guard(kernel: Kernel): void {
  running++
  const stream = kernel.random('globals')
  Math.random = () => stream.float()
  Date.now = () => 1_780_000_000_000 + Math.floor(kernel.now)
}

export function unguard(): void {
  if (--running > 0) return
  Math.random = real.random
  Date.now = real.now
}
