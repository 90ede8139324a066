// Rows of a job's timeline: the attempts of each datanode, those that run at the same time in rows of their own. Pure.

import type { AttemptStatus, TaskStatus } from '../../../src/protocol/job.ts'

export interface PlacedAttempt extends Pick<AttemptStatus, 'host' | 'node' | 'state' | 'startedMs'> {
  readonly name: string
  readonly endMs: number
  readonly row: number
}

export interface Lanes {
  readonly attempts: readonly PlacedAttempt[]
  /** Datanodes with their first rows. */
  readonly nodes: readonly { readonly host: string; readonly node: string; readonly row: number }[]
  readonly rows: number
  readonly fromMs: number
  readonly toMs: number
}

/** `nowMs`: the end of attempts that run. */
export function lanesOf(tasks: readonly TaskStatus[], stages: readonly string[], nowMs: number): Lanes {
  const all = tasks.flatMap(({ stage, task, attempts }) =>
    attempts.map(({ host, node, state, startedMs, finishedMs }) => ({
      host, node, state, startedMs, endMs: Math.max(startedMs, finishedMs ?? nowMs), name: `${stages[stage] ?? ''} ${task}`,
    })),
  )
  const inOrder = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
  all.sort((a, b) => inOrder(a.host, b.host) || inOrder(a.node, b.node) || a.startedMs - b.startedMs)
  const attempts: PlacedAttempt[] = []
  const nodes: { host: string; node: string; row: number }[] = []
  let ends: number[] = []
  let base = 0
  for (const attempt of all) {
    const last = nodes.at(-1)
    if (last?.host !== attempt.host || last.node !== attempt.node) {
      base += ends.length
      ends = []
      nodes.push({ host: attempt.host, node: attempt.node, row: base })
    }
    const free = ends.findIndex(end => end <= attempt.startedMs)
    const lane = free < 0 ? ends.length : free
    ends[lane] = attempt.endMs
    attempts.push({ ...attempt, row: base + lane })
  }
  const fromMs = all.reduce((min, each) => Math.min(min, each.startedMs), Infinity)
  const toMs = all.reduce((max, each) => Math.max(max, each.endMs), -Infinity)
  return { attempts, nodes, rows: base + ends.length, fromMs, toMs: Math.max(toMs, fromMs + 1) }
}

/** The host of each datanode, or its id where the host has several of them. */
export function labelsOf(nodes: Lanes['nodes']): readonly string[] {
  const counts = new Map<string, number>()
  for (const { host } of nodes) counts.set(host, (counts.get(host) ?? 0) + 1)
  return nodes.map(({ host, node }) => (counts.get(host) === 1 ? host : node))
}
