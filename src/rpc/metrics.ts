// Counts and latencies of the calls that a server answers. Counting costs two array increments per call: Prometheus' own counters
// hash their labels on every increment, so here the text is built only when it is scraped.

import { Registry } from 'prom-client'
import type { Clock } from '../ports/clock.ts'

export { Registry }

/** Seconds. From a lookup in memory (0.1 ms) to a long poll. */
const bucketBounds = [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const

/** Text of the registry, built at most once per `everyMs`: callers in between share it, also while it is being built. */
export function shownAtMost(registry: Pick<Registry, 'metrics'>, clock: Pick<Clock, 'mono'>, everyMs: number): () => Promise<string> {
  let last: { readonly atMs: number; readonly text: Promise<string> } | undefined
  return () => {
    const atMs = clock.mono()
    if (last && atMs - last.atMs < everyMs) return last.text
    const made = { atMs, text: registry.metrics() }
    made.text.catch(() => { if (last === made) last = undefined })
    last = made
    return made.text
  }
}

/** Numbers of one message. */
export class CallMetrics {
  readonly message: string
  readonly buckets = new Float64Array(bucketBounds.length + 1)
  readonly codes = new Map<string, number>()
  seconds = 0
  count = 0

  constructor(message: string) { this.message = message }

  /** `code`: 'ok' or an error code. */
  record(code: string, ms: number): void {
    const seconds = ms / 1000
    this.seconds += seconds
    this.count++
    let bucket = 0
    while (bucket < bucketBounds.length && seconds > bucketBounds[bucket]!) bucket++
    this.buckets[bucket]!++
    this.codes.set(code, (this.codes.get(code) ?? 0) + 1)
  }
}

/** Registers `calls`; their values are read when the registry is scraped. */
export function exposeCalls(registry: Registry, calls: readonly CallMetrics[], inFlight: () => number): void {
  const metric = (name: string, help: string, type: string, values: () => object[]): void => {
    registry.registerMetric({
      name, help, type, aggregator: 'sum',
      get: async () => ({ name, help, type, aggregator: 'sum', values: values() }),
      reset() {},
    } as never)
  }
  metric('gristmill_calls_total', 'Calls answered, by message and code', 'counter', () =>
    calls.flatMap(({ message, codes }) => [...codes].map(([code, value]) => ({ labels: { message, code }, value }))))
  metric('gristmill_call_seconds', 'Time from the parsed request to its answer', 'histogram', () => calls.flatMap(histogram))
  metric('gristmill_calls_in_flight', 'Calls being worked on now', 'gauge', () => [{ labels: {}, value: inFlight() }])
}

function histogram({ message, buckets, seconds, count }: CallMetrics): object[] {
  if (count === 0) return []
  let sum = 0
  const bars = bucketBounds.map((le, i) => {
    sum += buckets[i]!
    return { metricName: 'gristmill_call_seconds_bucket', labels: { message, le }, value: sum }
  })
  return [
    ...bars,
    { metricName: 'gristmill_call_seconds_bucket', labels: { message, le: '+Inf' }, value: count },
    { metricName: 'gristmill_call_seconds_sum', labels: { message }, value: seconds },
    { metricName: 'gristmill_call_seconds_count', labels: { message }, value: count },
  ]
}
