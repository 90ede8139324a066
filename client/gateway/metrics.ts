// Metrics of a gateway for /metrics: requests of each dialect by operation and status, their times and bytes, connections, and sessions of
// protocols that are not HTTP (numbers.ts). The text is built when it is scraped.

import type { Clock } from '../../src/ports/clock.ts'
import { expose, Registry, shownAtMost, type Samples } from '../../src/rpc/metrics.ts'
import type { DialectNumbers, GatewayNumbers, ShownMetrics } from './numbers.ts'

/** As at the other servers: scrapers come every few seconds. */
const everyMs = 1_000

const requestSeconds = 'gristmill_gateway_request_seconds'

export function exposeGateway(registry: Registry, { dialects, servers }: GatewayNumbers): void {
  const ofEach = (read: (numbers: DialectNumbers) => number) => (): Samples =>
    dialects.map(each => ({ labels: { dialect: each.dialect }, value: read(each) }))
  expose(registry, {
    name: 'gristmill_gateway_requests_total', help: 'Requests answered, by the status of the answer', type: 'counter',
    labels: ['dialect', 'operation', 'status'],
  }, () => dialects.flatMap(({ dialect, operations }) => [...operations].flatMap(([operation, { outcomes }]) =>
    [...outcomes].map(([status, value]) => ({ labels: { dialect, operation, status }, value })))))
  expose(registry, {
    name: requestSeconds, help: 'Time from the head of a request to the end of its answer, with the bytes of both', type: 'histogram',
    labels: ['dialect', 'operation'],
  }, () => dialects.flatMap(({ dialect, operations }) => [...operations].flatMap(([operation, durations]) =>
    durations.samples(requestSeconds, { dialect, operation }))))
  expose(registry, {
    name: 'gristmill_gateway_bytes_total', help: 'Bytes of bodies received (in) and sent (out)', type: 'counter',
    labels: ['dialect', 'direction'],
  }, () => dialects.flatMap(({ dialect, bytes }) => Object.entries(bytes).map(([direction, value]) =>
    ({ labels: { dialect, direction }, value }))))
  expose(registry, {
    name: 'gristmill_gateway_requests_in_flight', help: 'Requests that are being answered', type: 'gauge', labels: ['dialect'],
  }, ofEach(({ inFlight }) => inFlight))
  expose(registry, {
    name: 'gristmill_gateway_connections', help: 'Open connections; of `pg`: sessions, and those that are to be', type: 'gauge',
    labels: ['dialect'],
  }, () => [...ofEach(({ connections }) => connections)(),
    ...servers.map(({ name, load }) => ({ labels: { dialect: name }, value: load.connections }))])
  expose(registry, {
    name: 'gristmill_gateway_queries', help: 'Open queries of the PostgreSQL protocol', type: 'gauge',
  }, () => servers.reduce((sum, { load }) => sum + load.queries, 0))
}

/** Text of the metrics of a gateway. `more` registers those of its process. */
export function shownMetrics(
  numbers: GatewayNumbers, { clock, more }: { readonly clock: Clock; readonly more?: ((registry: Registry) => void) | undefined },
): ShownMetrics {
  const registry = new Registry()
  exposeGateway(registry, numbers)
  more?.(registry)
  return { type: registry.contentType, text: shownAtMost(registry, clock, everyMs) }
}
