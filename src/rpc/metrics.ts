// Counts and latencies of the calls that a server answers. Counting costs two array increments per call: Prometheus' own counters
// hash their labels on every increment, so here the text is built only when it is scraped.

import { Registry } from 'prom-client'
import type { Clock } from '../ports/clock.ts'

export { Registry }

/** Seconds. From a lookup in memory (0.1 ms) to a long poll. */
const bucketBounds = [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const

interface MetricSample {
  /** For a histogram: the name with `_bucket`, `_sum` or `_count`. */
  readonly metricName?: string
  readonly labels: Readonly<Record<string, string | number>>
  readonly value: number
}

export type Samples = MetricSample[]

interface Metric {
  /** With the unit at its end: `_bytes`, `_seconds`; `_total` for counters. */
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  /** Names of the labels of its samples. */
  readonly labels?: readonly string[]
}

/** Registers `metric`. `read` is called at each scrape; a number stands for one sample without labels. */
export function expose(registry: Registry, metric: Metric, read: () => number | Samples | Promise<Samples>): void {
  const { name, help, type, labels: labelNames = [] } = metric
  const samples = async (): Promise<Samples> => {
    const values = await read()
    return typeof values === 'number' ? [{ labels: {}, value: values }] : values
  }
  registry.registerMetric({
    name, help, type, labelNames, aggregator: 'sum',
    get: async () => ({ name, help, type, aggregator: 'sum', values: await samples() }),
    reset() {},
  } as never)
}

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
  expose(registry, { name: 'gristmill_calls_total', help: 'Calls answered', type: 'counter', labels: ['message', 'code'] }, () =>
    calls.flatMap(({ message, codes }) => [...codes].map(([code, value]) => ({ labels: { message, code }, value }))))
  expose(
    registry,
    { name: 'gristmill_call_seconds', help: 'Time from the parsed request to its answer', type: 'histogram', labels: ['message'] },
    () => calls.flatMap(histogram),
  )
  expose(registry, { name: 'gristmill_calls_in_flight', help: 'Calls in progress', type: 'gauge' }, inFlight)
}

function histogram({ message, buckets, seconds, count }: CallMetrics): Samples {
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
