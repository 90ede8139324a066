// Counts and latencies of the calls that a server answers. Counting costs two array increments per call: Prometheus' own counters
// hash their labels on every increment, so here the text is built only when it is scraped.

import { Registry } from 'prom-client'
import type { Clock } from '../ports/clock.ts'
import { Durations, type Samples } from './durations.ts'

export { Registry }
export type { Samples }

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

/** Numbers of one message. Outcomes: 'ok' or an error code. */
export class CallMetrics extends Durations {
  readonly message: string

  constructor(message: string) {
    super()
    this.message = message
  }
}

/** Registers `calls`; their values are read when the registry is scraped. */
export function exposeCalls(registry: Registry, calls: readonly CallMetrics[], inFlight: () => number): void {
  expose(registry, { name: 'gristmill_calls_total', help: 'Calls answered', type: 'counter', labels: ['message', 'code'] }, () =>
    calls.flatMap(({ message, outcomes }) => [...outcomes].map(([code, value]) => ({ labels: { message, code }, value }))))
  const seconds = 'gristmill_call_seconds'
  expose(registry, { name: seconds, help: 'Time from the parsed request to its answer', type: 'histogram', labels: ['message'] }, () =>
    calls.flatMap(each => each.samples(seconds, { message: each.message })))
  expose(registry, { name: 'gristmill_calls_in_flight', help: 'Calls in progress', type: 'gauge' }, inFlight)
}
