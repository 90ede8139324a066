// docs/reference/metrics.md, and what docs/monitoring asks of the metrics: every query parses, and names metrics and labels that exist.

import { readFileSync } from 'node:fs'
import { parser } from '@prometheus-io/lezer-promql'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { metricGroups, metricsFile, metricsPage } from './metricspage.ts'

const read = (name: string): string => readFileSync(new URL(`../../docs/monitoring/${name}`, import.meta.url), 'utf8')

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly for?: string
  readonly labels: { readonly severity: string }
  readonly annotations: { readonly summary: string; readonly description: string }
}

interface Panel {
  readonly title: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets?: ReadonlyArray<{ readonly expr: string; readonly legendFormat: string }>
}

/** Labels that Prometheus itself adds. */
const added = ['job', 'instance']
const labelsOf = new Map([...metricGroups.values()].flat().flatMap(({ name, type, labels }): Array<[string, readonly string[]]> =>
  type === 'histogram'
    ? [[`${name}_bucket`, [...labels, 'le']], [`${name}_sum`, labels], [`${name}_count`, labels]]
    : [[name, labels]]))

/** Faults of a query: a syntax error, an unknown metric, or a label that none of its metrics has. */
function faults(query: string): string[] {
  const found: string[] = []
  const metrics: string[] = []
  const labels: string[] = []
  parser.parse(query.replaceAll('$__rate_interval', '5m')).iterate({
    enter({ name, from, to, type }) {
      const text = query.replaceAll('$__rate_interval', '5m').slice(from, to)
      if (type.isError) found.push(`syntax at ${from}`)
      if (name === 'Identifier') metrics.push(text)
      if (name === 'LabelName') labels.push(text)
    },
  })
  if (metrics.length === 0) found.push('no metric')
  found.push(...metrics.filter(metric => metric !== 'up' && !labelsOf.has(metric)))
  const known = new Set([...added, ...metrics.flatMap(metric => labelsOf.get(metric) ?? [])])
  return [...found, ...labels.filter(label => !known.has(label))]
}

test('docs/reference/metrics.md is what the processes register, no row more and none less', () => {
  expect(readFileSync(metricsFile, 'utf8')).toBe(metricsPage())
})

test('a metric name says its unit, and only counters end with _total', () => {
  for (const { name, type } of [...metricGroups.values()].flat().filter(metric => metric.name.startsWith('gristmill_'))) {
    expect([name, name.endsWith('_total')]).toEqual([name, type === 'counter'])
  }
})

test('a query with a fault is found', () => {
  expect(faults('sum by (state) (gristmill_nodes')).not.toEqual([])
  expect(faults('gristmill_node > 0')).toEqual(['gristmill_node'])
  expect(faults('sum by (rack) (gristmill_nodes)')).toEqual(['rack'])
  expect(faults('rate(gristmill_call_seconds_bucket{le="1"}[$__rate_interval])')).toEqual([])
})

test('alert rules have queries without a fault, a severity, a summary and advice', () => {
  const { groups } = parse(read('alerts.yml')) as { groups: Array<{ name: string; rules: Rule[] }> }
  const rules = groups.flatMap(group => group.rules)
  expect(rules.length).toBeGreaterThan(10)
  expect(new Set(rules.map(rule => rule.alert)).size).toBe(rules.length)
  for (const { alert, expr, labels, annotations } of rules) {
    expect([alert, faults(expr)]).toEqual([alert, []])
    expect(labels.severity, alert).toMatch(/^(page|ticket)$/)
    expect(annotations, alert).toEqual({ summary: expect.stringMatching(/\w/), description: expect.stringMatching(/\w.*\.$/) })
  }
})

test('the dashboard has queries without a fault, legends with labels that exist, and panels that do not overlap', () => {
  const { panels } = JSON.parse(read('dashboard.json')) as { panels: Panel[] }
  for (const { title, targets = [] } of panels) {
    for (const { expr, legendFormat } of targets) {
      expect([title, expr, faults(expr)]).toEqual([title, expr, []])
      for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) expect(faults(`count by (${label}) (${expr})`), title).toEqual([])
    }
  }
  const taken = new Set<string>()
  for (const { title, gridPos: { x, y, w, h } } of panels) {
    expect([title, x + w <= 24]).toEqual([title, true])
    for (let column = x; column < x + w; column++) {
      for (let line = y; line < y + h; line++) {
        expect([title, taken.has(`${column},${line}`)]).toEqual([title, false])
        taken.add(`${column},${line}`)
      }
    }
  }
})
