// Stages of a job as a graph: arrows lead from a stage to those that read its output.

import { useMemo } from 'preact/hooks'
import type { StageStatus } from '../../../../src/protocol/job.ts'
import { formatCount, plural, visible } from '../format.ts'
import { Arrow, placeBoxes } from './graph.tsx'
import type { ShownStage } from './tasktable.tsx'

const [nodeWidth, nodeHeight] = [184, 62]

/** Stages of namenodes that do not tell their inputs stand one behind the other. */
const inputsOf = (stages: readonly Pick<StageStatus, 'sources'>[], i: number): readonly number[] =>
  stages.some(({ sources }) => sources) ? (stages[i]!.sources ?? []) : i === 0 ? [] : [i - 1]

export function StageGraph({ stages }: { readonly stages: readonly ShownStage[] }) {
  const shape = stages.map(({ sources }) => sources?.join('+') ?? '').join('|')
  const { boxes, lines, width, height } = useMemo(
    () => placeBoxes(stages.map((_, i) => ({ sources: inputsOf(stages, i), width: nodeWidth, height: nodeHeight }))),
    [shape, stages.length],
  )
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
        <Arrow id="arrow" />
        {lines.map((line, i) => (
          <path key={i} class="edge" d={line} marker-end="url(#arrow)" />
        ))}
        {stages.map(({ name, state, tasks, done, failedAttempts, fraction }, i) => (
          <g key={i} class={`stage stage-${state.replace(' ', '-')}`} transform={`translate(${boxes[i]!.x} ${boxes[i]!.y})`}>
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
