// Stages of a job as a graph: arrows lead from a stage to those that read its output.

import { graphlib, layout } from '@dagrejs/dagre'
import { useMemo } from 'preact/hooks'
import type { StageStatus } from '../../../../src/protocol/job.ts'
import { formatCount, plural, visible } from '../format.ts'

const [nodeWidth, nodeHeight] = [184, 62]

interface Placed {
  readonly boxes: readonly { x: number; y: number }[]
  readonly lines: readonly string[]
  readonly width: number
  readonly height: number
}

/** Stages of namenodes that do not tell their inputs stand one behind the other. */
const inputsOf = (stages: readonly StageStatus[], i: number): readonly number[] =>
  stages.some(({ sources }) => sources) ? (stages[i]!.sources ?? []) : i === 0 ? [] : [i - 1]

function place(stages: readonly StageStatus[]): Placed {
  const graph = new graphlib.Graph()
  graph.setGraph({ rankdir: 'LR', nodesep: 18, ranksep: 46, marginx: 4, marginy: 4 })
  graph.setDefaultEdgeLabel(() => ({}))
  stages.forEach((_, i) => graph.setNode(String(i), { width: nodeWidth, height: nodeHeight }))
  stages.forEach((_, i) => {
    for (const input of inputsOf(stages, i)) graph.setEdge(String(input), String(i))
  })
  layout(graph)
  const boxes = stages.map((_, i) => {
    const { x, y } = graph.node(String(i)) as { x: number; y: number }
    return { x: x - nodeWidth / 2, y: y - nodeHeight / 2 }
  })
  const lines = graph.edges().map((edge: { v: string; w: string }) => {
    const { points } = graph.edge(edge) as { points: { x: number; y: number }[] }
    return points.map(({ x, y }, i) => `${i === 0 ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(1)}`).join('')
  })
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number }
  return { boxes, lines, width, height }
}

export function StageGraph({ stages }: { readonly stages: readonly StageStatus[] }) {
  const shape = stages.map(({ sources }) => sources?.join('+') ?? '').join('|')
  const { boxes, lines, width, height } = useMemo(() => place(stages), [shape, stages.length])
  const told = stages
    .map(
      ({ name, state }, i) =>
        `${name}, ${state}${
          inputsOf(stages, i).length > 0
            ? `, reads ${inputsOf(stages, i)
                .map(at => stages[at]!.name)
                .join(' and ')}`
            : ''
        }`,
    )
    .join('; ')
  return (
    <div class="graph" tabIndex={0} role="region" aria-label="Graph of the stages">
      <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="img" aria-label={told}>
        <defs>
          <marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
            <path d="M0 0 8 4 0 8z" />
          </marker>
        </defs>
        {lines.map((line, i) => (
          <path key={i} class="edge" d={line} marker-end="url(#arrow)" />
        ))}
        {stages.map(({ name, state, tasks, done, failedAttempts, fraction }, i) => (
          <g key={i} class={`stage stage-${state}`} transform={`translate(${boxes[i]!.x} ${boxes[i]!.y})`}>
            <rect width={nodeWidth} height={nodeHeight} rx="8" />
            <text x="12" y="23" class="stage-name">
              {short(visible(name))}
            </text>
            <text x="12" y="41">
              {formatCount(done)} of {plural(tasks, 'task')}
              {failedAttempts > 0 ? ` · ${failedAttempts} failed` : ''}
            </text>
            <rect class="stage-track" x="12" y="49" width={nodeWidth - 24} height="4" rx="2" />
            <rect class="stage-done" x="12" y="49" width={(nodeWidth - 24) * fraction} height="4" rx="2" />
          </g>
        ))}
      </svg>
    </div>
  )
}

const short = (name: string): string => (name.length > 22 ? `${name.slice(0, 21)}…` : name)
