// Baseline of the sort: read the file, sort 100-byte records by their first 10 bytes in memory, write them out. One process.
// usage: node sort.ts INPUT OUTPUT

import { closeSync, fdatasyncSync, openSync, readSync, statSync, writeSync } from 'node:fs'

const [input, output] = [process.argv[2]!, process.argv[3]!]
const recordBytes = 100
const bytes = statSync(input).size
const count = Math.floor(bytes / recordBytes)

// 2 GiB is the largest single read; records are gathered from one buffer.
const data = Buffer.allocUnsafeSlow(bytes)
const from = openSync(input, 'r')
for (let at = 0; at < bytes;) at += readSync(from, data, at, Math.min(1 << 24, bytes - at), at)
closeSync(from)

// Buckets by the first two bytes, then each sorted as numbers: five more key bytes above, the index below would not fit
// in 53 bits, so three bytes (21 bits of printable range) and the index (28 bits); ties are settled by comparing the rest.
const buckets = new Uint32Array(65_537)
for (let i = 0; i < count; i++) buckets[((data[i * recordBytes]! << 8) | data[i * recordBytes + 1]!) + 1]!++
for (let b = 0; b < 65_536; b++) buckets[b + 1]! += buckets[b]!
const next = buckets.slice()
const order = new Float64Array(count)
for (let i = 0; i < count; i++) {
  const at = i * recordBytes
  const bucket = (data[at]! << 8) | data[at + 1]!
  order[next[bucket]!++] = ((data[at + 2]! << 16) | (data[at + 3]! << 8) | data[at + 4]!) * 2 ** 28 + i
}
const indexOf = (entry: number) => entry % 2 ** 28
for (let b = 0; b < 65_536; b++) {
  const run = order.subarray(buckets[b]!, buckets[b + 1]!)
  if (run.length < 2) continue
  run.sort()
  for (let i = 1; i < run.length; i++) {
    // Insertion among equal prefixes: rare, and short.
    for (let k = i; k > 0; k--) {
      const a = indexOf(run[k - 1]!), c = indexOf(run[k]!)
      if (Math.floor(run[k - 1]! / 2 ** 28) !== Math.floor(run[k]! / 2 ** 28)) break
      if (data.compare(data, c * recordBytes, c * recordBytes + 10, a * recordBytes, a * recordBytes + 10) <= 0) break
      const swap = run[k - 1]!
      run[k - 1] = run[k]!
      run[k] = swap
    }
  }
}

const to = openSync(output, 'w')
const piece = Buffer.allocUnsafeSlow(recordBytes * 10_000)
let filled = 0
for (let i = 0; i < count; i++) {
  const at = indexOf(order[i]!) * recordBytes
  data.copy(piece, filled, at, at + recordBytes)
  filled += recordBytes
  if (filled === piece.length) { writeSync(to, piece); filled = 0 }
}
if (filled > 0) writeSync(to, piece, 0, filled)
fdatasyncSync(to)
closeSync(to)
console.log(JSON.stringify({ count, cpu: process.cpuUsage(), rss: process.memoryUsage.rss() }))
