// Lineage as OpenLineage run events (https://openlineage.io/spec/2-0-2/OpenLineage.json): one event for each version, and for each place to
// which one was sent, with the data sets that its job read and wrote. The id of a run is made from cluster, path and version, or from
// address and time, so that an event that is sent twice is known.

import { isUrl } from '../../src/base/url.ts'
import { createHash } from 'node:crypto'
import { placeName } from '../../src/connector/place.ts'
import type { Lineage, LineageNode } from './lineage.ts'

interface DataSet {
  readonly namespace: string
  readonly name: string
  readonly facets?: { readonly dataQualityMetrics: QualityFacet }
}

interface QualityFacet {
  readonly _producer: string
  readonly _schemaURL: string
  readonly rowCount: number
  readonly columnMetrics: Readonly<Record<string, Readonly<Record<string, number>>>>
}

type Counters = Readonly<Record<string, number>>

export interface OpenLineageEvent {
  readonly eventType: 'COMPLETE'
  readonly eventTime: string
  readonly run: { readonly runId: string }
  readonly job: { readonly namespace: string; readonly name: string }
  readonly inputs: readonly DataSet[]
  readonly outputs: readonly DataSet[]
  readonly producer: string
  readonly schemaURL: string
}

const schemaURL = 'https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent'

const qualityURL = 'https://openlineage.io/spec/facets/1-0-0/DataQualityMetricsDatasetFacet.json'

/** `counters`: of the jobs that are known. */
export function openLineageOf(
  { nodes, edges }: Lineage, cluster: string, producer: string, counters: ReadonlyMap<string, Counters> = new Map(),
): OpenLineageEvent[] {
  const namespace = `gristmill://${cluster}`
  const known = new Map(nodes.map(node => [node.id, node]))
  return nodes.flatMap(({ id, kind, missing, name, job, madeMs, path }) => {
    if (kind === 'input' || missing || madeMs === undefined) return []
    const inputs = edges.filter(({ to }) => to === id).map(({ from }) => dataSetOf(known.get(from)!, namespace))
    const facet = qualityFacet(job === undefined ? {} : counters.get(job) ?? {}, producer)
    return [{
      eventType: 'COMPLETE' as const, eventTime: new Date(madeMs).toISOString(),
      run: { runId: uuidOf(`${cluster} ${id}${kind === 'outside' ? ` ${madeMs}` : ''}`) },
      job: { namespace, name: name ?? job ?? (kind === 'outside' ? `export to ${path}` : path) }, inputs,
      outputs: [{ ...dataSetOf(known.get(id)!, namespace), ...facet && { facets: { dataQualityMetrics: facet } } }], producer, schemaURL,
    }]
  })
}

/** Places outside of the cluster have the names that other producers of events give them. */
function dataSetOf({ id, kind, path }: LineageNode, cluster: string): DataSet {
  if (kind === 'output' || !isUrl(path)) return { namespace: cluster, name: id }
  const { namespace, name } = placeName(path)
  return { namespace, name }
}

/** Names of the facet for the counters of `quality` (src/program/quality.ts). */
const metrics: Readonly<Record<string, string>> = { nulls: 'nullCount', distinct: 'distinctCount', min: 'min', max: 'max' }

/** Counts of a check by `quality`; undefined if there was none. */
function qualityFacet(counters: Counters, producer: string): QualityFacet | undefined {
  const rowCount = counters['user.quality.rows']
  if (rowCount === undefined) return undefined
  const columns = new Map<string, Record<string, number>>()
  for (const [counter, value] of Object.entries(counters)) {
    const [, column, metric] = /^user\.quality\.([^]+)\.(nulls|distinct|min|max)$/.exec(counter) ?? []
    if (column === undefined) continue
    const found = columns.get(column) ?? {}
    columns.set(column, found)
    found[metrics[metric!]!] = value
  }
  return { _producer: producer, _schemaURL: qualityURL, rowCount, columnMetrics: Object.fromEntries(columns) }
}

/** A UUID of version 8 with these bytes of a hash. */
function uuidOf(text: string): string {
  const bytes = createHash('sha256').update(text).digest().subarray(0, 16)
  bytes[6] = (bytes[6]! & 0x0f) | 0x80
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}
