// Stages of a query before it runs, as a graph: arrows lead from a stage to those that read its rows.

import { useMemo } from 'preact/hooks'
import type { SqlPlan } from '../../sql.ts'
import { plural, visible } from '../format.ts'
import { Arrow, placeBoxes } from './graph.tsx'

type PlanStage = SqlPlan['stages'][number]

const [boxWidth, boxHeight] = [196, 56]

const titleOf = ({ name }: PlanStage): string => (name === '' ? 'rows' : name)

export function PlanGraph({ stages }: { readonly stages: readonly PlanStage[] }) {
  const { boxes, lines, width, height } = useMemo(
    () => placeBoxes(stages.map(({ sources }) => ({ sources, width: boxWidth, height: boxHeight }))),
    [stages],
  )
  const told = stages.map((stage, i) => `${i}: ${titleOf(stage)}, ${plural(stage.tasks, 'task')}`).join('; ')
  return (
    <div class="graph" tabIndex={0} role="region" aria-label="Graph of the plan">
      <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="img" aria-label={visible(told)}>
        <Arrow id="plan-arrow" />
        {lines.map((line, i) => (
          <path key={i} class="edge" d={line} marker-end="url(#plan-arrow)" />
        ))}
        {stages.map((stage, i) => (
          <g key={i} class="stage" transform={`translate(${boxes[i]!.x} ${boxes[i]!.y})`}>
            <rect width={boxWidth} height={boxHeight} rx="8" />
            <text x="12" y="23" class="stage-name">
              {visible(titleOf(stage)).slice(0, 26)}
            </text>
            <text x="12" y="42">
              {plural(stage.tasks, 'task')}
              {stage.gathered === undefined ? '' : ' · gathered'}
            </text>
          </g>
        ))}
      </svg>
    </div>
  )
}
