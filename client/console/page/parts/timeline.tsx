// Attempts of a job over time, a row for each slot that a datanode has used, drawn on a canvas: ten thousand tasks are ten thousand
// rectangles.

import { useCallback, useEffect, useMemo, useState } from 'preact/hooks'
import type { AttemptStatus, TaskStatus } from '../../../../src/protocol/job.ts'
import { formatDuration, plural, visible } from '../format.ts'
import { labelsOf, lanesOf, type Lanes, type PlacedAttempt } from '../lanes.ts'
import { clusterNow } from '../live.ts'
import { Drawn, type Drawing } from './canvas.tsx'
import { Empty } from './states.tsx'

const rowPixels = 14
const labelPixels = 150
const axisPixels = 22
const timePixels = 80

const tones: Readonly<Record<AttemptStatus['state'], string>> = {
  running: '--busy',
  done: '--good',
  failed: '--bad',
  killed: '--line-strong',
  lost: '--warn',
}

function draw({ pen, width, height, color }: Drawing, { attempts, nodes, fromMs, toMs }: Lanes): void {
  pen.fillStyle = color('--dim')
  labelsOf(nodes).forEach((label, i) => pen.fillText(visible(label).slice(0, 26), 0, nodes[i]!.row * rowPixels + 11, labelPixels - 8))
  const x = (ms: number): number => labelPixels + ((ms - fromMs) / (toMs - fromMs)) * (width - labelPixels)
  for (const { startedMs, endMs, row, state } of attempts) {
    pen.fillStyle = color(tones[state])
    pen.fillRect(x(startedMs), row * rowPixels + 2, Math.max(1.5, x(endMs) - x(startedMs) - 0.5), rowPixels - 3)
  }
  pen.fillStyle = color('--dim')
  // As many times as there is room for.
  const parts = Math.max(1, Math.min(4, Math.floor((width - labelPixels) / timePixels)))
  for (let i = 0; i <= parts; i++) {
    pen.textAlign = i === 0 ? 'left' : i === parts ? 'right' : 'center'
    pen.fillText(formatDuration(((toMs - fromMs) * i) / parts), labelPixels + ((width - labelPixels) * i) / parts, height - 6)
  }
}

/** Another number every `everyMs`; `undefined`: it stays. */
function useTurns(everyMs: number | undefined): number {
  const [turns, setTurns] = useState(0)
  useEffect(() => {
    if (everyMs === undefined) return
    const timer = setInterval(() => setTurns(last => last + 1), everyMs)
    return () => clearInterval(timer)
  }, [everyMs])
  return turns
}

export function Timeline({
  tasks,
  stages,
  running,
}: {
  readonly tasks: readonly TaskStatus[]
  readonly stages: readonly string[]
  readonly running: boolean
}) {
  const [at, setAt] = useState<PlacedAttempt | undefined>(undefined)
  // Attempts that run grow with the time, also while nothing else is news. Of many tasks the picture is drawn less often.
  const turns = useTurns(running ? 1_000 + tasks.length : undefined)
  const lanes = useMemo(() => lanesOf(tasks, stages, clusterNow()), [tasks, stages, running, turns])
  const drawLanes = useCallback((drawing: Drawing) => draw(drawing, lanes), [lanes])
  if (lanes.rows === 0) return <Empty title="No attempt has started yet" />
  const find = (x: number, y: number, width: number): PlacedAttempt | undefined => {
    const row = Math.floor(y / rowPixels)
    const ms = lanes.fromMs + ((x - labelPixels) / (width - labelPixels)) * (lanes.toMs - lanes.fromMs)
    const slack = ((lanes.toMs - lanes.fromMs) / width) * 2
    return lanes.attempts.find(each => each.row === row && each.startedMs - slack <= ms && ms <= each.endMs + slack)
  }
  const [attempts, nodes] = [plural(lanes.attempts.length, 'attempt'), plural(lanes.nodes.length, 'datanode')]
  const told = `${attempts} on ${nodes} within ${formatDuration(lanes.toMs - lanes.fromMs)}; the table of tasks has each of them`
  const place = at && visible(`${at.host} ${at.node}`)
  const caption = at && `${visible(at.name)} on ${place}: ${at.state}, ${formatDuration(at.endMs - at.startedMs)}`
  return (
    <Drawn
      height={lanes.rows * rowPixels + axisPixels}
      draw={drawLanes}
      told={told}
      caption={caption ?? 'Point at a bar to see its task.'}
      onPoint={point => setAt(point && find(point.x, point.y, point.width))}
    />
  )
}
