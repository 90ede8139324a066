// Metrics of a server's process, beside those of its role: version, CPU time, memory, file descriptors, event loop, garbage collection.
// The names are those that Prometheus' client libraries give them, so existing dashboards of Node processes show them.

import { collectDefaultMetrics } from 'prom-client'
import { version } from '../../src/base/version.ts'
import { expose, type Registry } from '../../src/rpc/metrics.ts'

/** Milliseconds between two looks at the event loop's delay. */
const eventLoopMonitoringPrecision = 100

export function exposeProcess(registry: Registry): void {
  expose(
    registry, { name: 'gristmill_build_info', help: 'Version of gristmill; the value is 1', type: 'gauge', labels: ['version'] },
    () => [{ labels: { version }, value: 1 }],
  )
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision })
}
