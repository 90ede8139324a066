// Generator of docs/reference/metrics.md from the metrics that each process registers. `npm run docs` writes it; a test compares.

import { writeFileSync } from 'node:fs'
import { exposeGateway } from '../../client/gateway/metrics.ts'
import { exposeProcess } from '../../client/process/metrics.ts'
import { exposeDatanode } from '../../datanode/metrics.ts'
import { exposeNamenode } from '../../namenode/admin/status.ts'
import { exposeCalls, Registry } from '../../src/rpc/metrics.ts'

export interface Described {
  readonly name: string
  readonly type: string
  readonly labels: readonly string[]
  readonly help: string
}

/** Stands for the parts of a server: metrics read them only when they are scraped. */
const parts: never = new Proxy({}, { get: () => parts }) as never

const groups: Readonly<Record<string, (registry: Registry) => void>> = {
  'Namenode and datanode': registry => exposeCalls(registry, [], () => 0),
  Namenode: registry => exposeNamenode(registry, parts),
  Datanode: registry => exposeDatanode(registry, parts),
  Gateway: registry => exposeGateway(registry, { dialects: [], servers: [] }),
  'Process of a server': exposeProcess,
}

/** Metrics by group, in the order in which they are registered. */
export const metricGroups: ReadonlyMap<string, readonly Described[]> = new Map(Object.entries(groups).map(([group, register]) => {
  const registry = new Registry()
  register(registry)
  const found = registry.getMetricsAsArray() as unknown as Array<Omit<Described, 'labels'> & { labelNames?: readonly string[] }>
  return [group, found.map(({ name, help, type, labelNames = [] }) => ({ name, type, labels: labelNames, help }))]
}))

const intro = `# Metrics

Each server process serves these metrics in the text format of Prometheus at \`/metrics\` of its port, without a token; a gateway at each of
its ports for HTTP. Sizes are in bytes,
times in seconds. Counters start at 0 with the process. The text is built at most once a second.
[Monitoring](../guide/monitoring.md) has the configuration of Prometheus, alert rules and a
dashboard.
`

const outro = `A process of a server also serves the usual metrics of a Node process, with the names of Prometheus' client library:
\`process_cpu_seconds_total\`, \`process_resident_memory_bytes\`, \`process_open_fds\`, \`process_start_time_seconds\`,
\`nodejs_eventloop_lag_p99_seconds\`, \`nodejs_gc_duration_seconds\`, \`nodejs_heap_size_used_bytes\` and others.
`

export function metricsPage(): string {
  const tables = [...metricGroups].map(([group, metrics]) => {
    const rows = metrics.filter(({ name }) => name.startsWith('gristmill_')).map(({ name, type, labels, help }) =>
      `| \`${name}\` | ${type} | ${labels.map(label => `\`${label}\``).join(', ')} | ${help} |`)
    return `\n## ${group}\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n${rows.join('\n')}\n`
  })
  return `${intro}${tables.join('')}\n${outro}`
}

export const metricsFile = new URL('../../docs/reference/metrics.md', import.meta.url)

if (import.meta.main) writeFileSync(metricsFile, metricsPage())
