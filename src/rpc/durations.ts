// Durations and outcomes of one kind of work, as a histogram and counters of Prometheus. Its library is not loaded: servers that are not
// scraped count in the same way.

/** Seconds. From a lookup in memory (0.1 ms) to a long poll. */
const bucketBounds = [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const

interface MetricSample {
  /** For a histogram: the name with `_bucket`, `_sum` or `_count`. */
  readonly metricName?: string
  readonly labels: Readonly<Record<string, string | number>>
  readonly value: number
}

export type Samples = MetricSample[]

/** Durations of one kind of work, and how often it ended with which outcome. */
export class Durations {
  readonly outcomes = new Map<string, number>()
  readonly #buckets = new Float64Array(bucketBounds.length + 1)
  #seconds = 0
  #count = 0

  record(outcome: string, ms: number): void {
    const seconds = ms / 1000
    this.#seconds += seconds
    this.#count++
    let bucket = 0
    while (bucket < bucketBounds.length && seconds > bucketBounds[bucket]!) bucket++
    this.#buckets[bucket]!++
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1)
  }

  /** Samples of the histogram with this name. */
  samples(name: string, labels: MetricSample['labels']): Samples {
    if (this.#count === 0) return []
    let sum = 0
    const bars = bucketBounds.map((le, i) => {
      sum += this.#buckets[i]!
      return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: sum }
    })
    return [
      ...bars,
      { metricName: `${name}_bucket`, labels: { ...labels, le: '+Inf' }, value: this.#count },
      { metricName: `${name}_sum`, labels, value: this.#seconds },
      { metricName: `${name}_count`, labels, value: this.#count },
    ]
  }
}
