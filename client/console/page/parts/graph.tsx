// Layout of boxes and the arrows between them, from left to right.

import { graphlib, layout } from '@dagrejs/dagre'

interface Box {
  /** Places in the list of the boxes from which arrows lead here. */
  readonly sources: readonly number[]
  readonly width: number
  readonly height: number
}

interface PlacedBoxes {
  readonly boxes: readonly { readonly x: number; readonly y: number }[]
  readonly lines: readonly string[]
  readonly width: number
  readonly height: number
}

export function placeBoxes(all: readonly Box[]): PlacedBoxes {
  const graph = new graphlib.Graph()
  graph.setGraph({ rankdir: 'LR', nodesep: 18, ranksep: 46, marginx: 4, marginy: 4 })
  graph.setDefaultEdgeLabel(() => ({}))
  all.forEach(({ width, height }, i) => graph.setNode(String(i), { width, height }))
  all.forEach(({ sources }, i) => {
    for (const source of sources) graph.setEdge(String(source), String(i))
  })
  layout(graph)
  const boxes = all.map(({ width, height }, i) => {
    const { x, y } = graph.node(String(i)) as { x: number; y: number }
    return { x: x - width / 2, y: y - height / 2 }
  })
  const lines = graph.edges().map((edge: { v: string; w: string }) => {
    const { points } = graph.edge(edge) as { points: { x: number; y: number }[] }
    return points.map(({ x, y }, i) => `${i === 0 ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(1)}`).join('')
  })
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number }
  return { boxes, lines, width, height }
}

/** Head of the arrows, which `marker-end` names. */
export const Arrow = ({ id }: { readonly id: string }) => (
  <defs>
    <marker id={id} class="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
      <path d="M0 0 8 4 0 8z" />
    </marker>
  </defs>
)
