// Plan of a query as a graph: tables, stages, and arrows from each to the stages that read its rows. After a run, stages have numbers.

import { useMemo } from 'preact/hooks'
import type { SqlPlan } from '../../sql.ts'
import { formatBytes, formatCount, formatDuration, plural, visible } from '../format.ts'
import { Arrow, placeBoxes } from './graph.tsx'

type PlanStage = SqlPlan['stages'][number]

interface PlanBox {
  readonly title: string
  readonly lines: readonly string[]
  /** Places of the boxes whose rows it reads. */
  readonly sources: readonly number[]
  readonly kind: 'stage' | 'table' | 'gathered'
}

const [boxWidth, titleHeight, lineHeight] = [226, 34, 17]
const charsMax = 34

const heightOf = ({ lines }: PlanBox): number => titleHeight + lines.length * lineHeight

/** The boxes of the stages come first, in the order of the plan, those of the tables behind them. */
function boxesOf(stages: readonly PlanStage[]): PlanBox[] {
  const tables: PlanBox[] = []
  const boxes = stages.map((stage): PlanBox => {
    const sources = stage.inputs.map(input => {
      if (input.kind === 'stage') return input.stage
      const columns = plural(input.columns.length, 'column')
      tables.push({ title: input.table, lines: [`${columns}${input.all ? ', all rows' : ''}`], sources: [], kind: 'table' })
      return stages.length + tables.length - 1
    })
    const title = stage.name === '' ? 'rows' : stage.name
    return { title, lines: linesOf(stage), sources: [...new Set(sources)], kind: stage.gathered === undefined ? 'stage' : 'gathered' }
  })
  return [...boxes, ...tables]
}

function linesOf({ tasks, inputs, gathered, measured }: PlanStage): string[] {
  const hows = [...new Set(inputs.flatMap(input => (input.kind === 'stage' ? [input.how] : [])))]
  return [
    `${plural(tasks, 'task')}${gathered === undefined ? '' : ' · gathered'}`,
    ...hows.map(how => `reads: ${how}`),
    ...measured
      ? [
          `${formatDuration(measured.seconds * 1000)} · ${plural(measured.rows, 'row')} out`,
          `${formatBytes(measured.bytesIn)} in${measured.bytesIn === 0 ? '' : `, ${localShare(measured)} local`}`,
          `${formatBytes(measured.bytesOut)} out${failures(measured)}`,
        ]
      : [],
  ]
}

type Measure = NonNullable<PlanStage['measured']>
const localShare = ({ bytesIn, bytesLocal }: Measure): string => `${Math.round((100 * bytesLocal) / bytesIn)} %`
const failures = ({ failedAttempts }: Measure): string => (failedAttempts === 0 ? '' : ` · ${formatCount(failedAttempts)} failed`)

export function PlanGraph({ stages }: { readonly stages: readonly PlanStage[] }) {
  const { all, boxes, lines, width, height } = useMemo(() => {
    const all = boxesOf(stages)
    return { all, ...placeBoxes(all.map(box => ({ sources: box.sources, width: boxWidth, height: heightOf(box) }))) }
  }, [stages])
  const told = all.map(box => [box.title, ...box.lines].join(', ')).join('; ')
  return (
    <div class="graph" tabIndex={0} role="region" aria-label="Graph of the plan">
      <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="img" aria-label={visible(told)}>
        <Arrow id="plan-arrow" />
        {lines.map((line, i) => (
          <path key={i} class="edge" d={line} marker-end="url(#plan-arrow)" />
        ))}
        {all.map((box, i) => (
          <g key={i} class={`stage plan-${box.kind}`} transform={`translate(${boxes[i]!.x} ${boxes[i]!.y})`}>
            <title>{visible(stages[i]?.gathered ?? box.title)}</title>
            <rect width={boxWidth} height={heightOf(box)} rx={box.kind === 'table' ? 2 : 8} />
            <text x="12" y="22" class="stage-name">
              {short(visible(box.title))}
            </text>
            {box.lines.map((line, at) => (
              <text key={at} x="12" y={titleHeight + 5 + at * lineHeight}>
                {short(line)}
              </text>
            ))}
          </g>
        ))}
      </svg>
    </div>
  )
}

const short = (text: string): string => (text.length > charsMax ? `${text.slice(0, charsMax - 1)}…` : text)
