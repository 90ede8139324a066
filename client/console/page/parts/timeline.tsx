// Attempts of a job over time, a row for each slot that a host has used, drawn on a canvas: ten thousand tasks are ten thousand rectangles.

import { useCallback, useMemo, useState } from 'preact/hooks'
import type { AttemptStatus, TaskStatus } from '../../../../src/protocol/job.ts'
import { formatDuration, plural, visible } from '../format.ts'
import { clusterNow } from '../live.ts'
import { Drawn, type Drawing } from './canvas.tsx'
import { Empty } from './states.tsx'

interface Placed extends Pick<AttemptStatus, 'host' | 'state' | 'startedMs'> {
  readonly name: string
  readonly endMs: number
  readonly row: number
}

interface Lanes {
  readonly attempts: readonly Placed[]
  readonly hosts: readonly { readonly host: string; readonly row: number }[]
  readonly rows: number
  readonly fromMs: number
  readonly toMs: number
}

const rowPixels = 14
const labelPixels = 150
const axisPixels = 22

/** Attempts of one host that run at the same time lie in rows of their own. */
function lanesOf(tasks: readonly TaskStatus[], stages: readonly string[], nowMs: number): Lanes {
  const all = tasks.flatMap(({ stage, task, attempts }) =>
    attempts.map(({ host, state, startedMs, finishedMs }) => ({
      host,
      state,
      startedMs,
      endMs: Math.max(startedMs, finishedMs ?? nowMs),
      name: `${stages[stage] ?? ''} ${task}`,
    })),
  )
  all.sort((a, b) => (a.host === b.host ? a.startedMs - b.startedMs : a.host < b.host ? -1 : 1))
  const attempts: Placed[] = []
  const hosts: { host: string; row: number }[] = []
  let ends: number[] = []
  let base = 0
  for (const attempt of all) {
    if (hosts.at(-1)?.host !== attempt.host) {
      base += ends.length
      ends = []
      hosts.push({ host: attempt.host, row: base })
    }
    const free = ends.findIndex(end => end <= attempt.startedMs)
    const lane = free < 0 ? ends.length : free
    ends[lane] = attempt.endMs
    attempts.push({ ...attempt, row: base + lane })
  }
  const fromMs = all.reduce((min, each) => Math.min(min, each.startedMs), Infinity)
  const toMs = all.reduce((max, each) => Math.max(max, each.endMs), -Infinity)
  return { attempts, hosts, rows: base + ends.length, fromMs, toMs: Math.max(toMs, fromMs + 1) }
}

const tones: Readonly<Record<AttemptStatus['state'], string>> = {
  running: '--busy',
  done: '--good',
  failed: '--bad',
  killed: '--line-strong',
  lost: '--warn',
}

function draw({ pen, width, height, color }: Drawing, { attempts, hosts, fromMs, toMs }: Lanes): void {
  pen.fillStyle = color('--dim')
  for (const { host, row } of hosts) pen.fillText(visible(host).slice(0, 22), 0, row * rowPixels + 11, labelPixels - 8)
  const x = (ms: number): number => labelPixels + ((ms - fromMs) / (toMs - fromMs)) * (width - labelPixels)
  for (const { startedMs, endMs, row, state } of attempts) {
    pen.fillStyle = color(tones[state])
    pen.fillRect(x(startedMs), row * rowPixels + 2, Math.max(1.5, x(endMs) - x(startedMs) - 0.5), rowPixels - 3)
  }
  pen.fillStyle = color('--dim')
  for (let i = 0; i <= 4; i++) {
    pen.textAlign = i === 0 ? 'left' : i === 4 ? 'right' : 'center'
    pen.fillText(formatDuration(((toMs - fromMs) * i) / 4), labelPixels + ((width - labelPixels) * i) / 4, height - 6)
  }
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
  const [at, setAt] = useState<Placed | undefined>(undefined)
  const lanes = useMemo(() => lanesOf(tasks, stages, clusterNow()), [tasks, stages, running])
  const drawLanes = useCallback((drawing: Drawing) => draw(drawing, lanes), [lanes])
  if (lanes.rows === 0) return <Empty title="No attempt has started yet" />
  const find = (x: number, y: number, width: number): Placed | undefined => {
    const row = Math.floor(y / rowPixels)
    const ms = lanes.fromMs + ((x - labelPixels) / (width - labelPixels)) * (lanes.toMs - lanes.fromMs)
    const slack = ((lanes.toMs - lanes.fromMs) / width) * 2
    return lanes.attempts.find(each => each.row === row && each.startedMs - slack <= ms && ms <= each.endMs + slack)
  }
  const [attempts, hosts] = [plural(lanes.attempts.length, 'attempt'), plural(lanes.hosts.length, 'host')]
  const told = `${attempts} on ${hosts} within ${formatDuration(lanes.toMs - lanes.fromMs)}; the table of tasks has each of them`
  const caption = at && `${visible(at.name)} on ${visible(at.host)}: ${at.state}, ${formatDuration(at.endMs - at.startedMs)}`
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
