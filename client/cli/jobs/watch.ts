// Progress of a job: bars on a terminal, lines elsewhere. Each status prints only its changes.

import { showText } from '../../../src/base/quote.ts'
import type { JobStatus } from '../../../src/protocol/job.ts'
import { plural } from '../display.ts'
import type { Bar } from '../progress.ts'
import { localityLine, lostLine, stageLine, took } from './view.ts'

/** Interval after which a running stage is reported again, so that a log shows that it makes progress. */
const sayMs = 10_000

/** One bar per stage, which appears when the stage begins. */
export function barsFor(bar: (label: string, unit: 'tasks', total: number) => Bar): (status: JobStatus) => void {
  const bars = new Map<number, Bar>()
  return status => {
    for (const [i, stage] of status.stages.entries()) {
      if (stage.state === 'waiting') continue
      let one = bars.get(i)
      if (!one) bars.set(i, one = bar(stage.name, 'tasks', stage.tasks))
      one.update(stage.fraction * stage.tasks, stage.tasks, stageLine(stage))
    }
  }
}

interface StepsShown {
  /** Shows the stages of the first step. */
  readonly first: (status: JobStatus) => void
  readonly losses: () => (status: JobStatus) => void
  /** Prints a line of a program of several steps. */
  readonly line: (text: string) => void
}

/**
 * Progress of a program: the stages of its first step, and a line for each step that has ended. A program of one step, which saves, has no
 * such line: it is like its job.
 */
export function stepsFor({ first, losses, line }: StepsShown): (status: JobStatus) => void {
  let before: JobStatus | undefined
  let showLosses = losses()
  const ended = (status: JobStatus): void => line(stepLine(status))
  return status => {
    const { driver, state } = status
    const isOne = (driver?.step ?? 1) === 1 && (driver?.method ?? 'save') === 'save'
    if (before && before.job !== status.job) {
      showLosses = losses()
      // That the first step is not the only one is known now.
      if (before.driver?.step === 1 && before.driver.method === 'save') ended(before)
    }
    if (isOne) first(status)
    else if (state !== 'running' && state !== 'publishing') ended(status)
    showLosses(status)
    before = status
  }
}

function stepLine({ driver, job, state, output, submittedMs, finishedMs }: JobStatus): string {
  const what = driver?.method === 'save' ? `save ${output}` : driver?.method ?? 'job'
  return `step ${driver?.step ?? 1}: ${what}, ${job}, ${state === 'succeeded' ? '' : `${state}, `}${took(submittedMs, finishedMs)}`
}

/**
 * A line about a task that is lost again and again, when that begins and every `sayMs`: without it a job that no node can run looks as if
 * it did nothing.
 */
export function lossesFor(say: (text: string) => void, mono: () => number): (status: JobStatus) => void {
  const reported = new Map<number, { readonly times: number; readonly atMs: number }>()
  return status => {
    for (const [i, stage] of status.stages.entries()) {
      const line = lostLine(stage)
      const before = reported.get(i)
      if (line === undefined || before && (before.times === stage.lost!.times || mono() - before.atMs < sayMs)) continue
      reported.set(i, { times: stage.lost!.times, atMs: mono() })
      say(line)
    }
  }
}

/** A line when a job begins to wait, and when it waits for something else. */
export function waitsFor(say: (text: string) => void): (status: JobStatus) => void {
  const said = new Map<string, string | undefined>()
  return ({ job, waits }) => {
    if (waits !== undefined && said.get(job) !== waits) say(`waits ${showText(waits)}`)
    said.set(job, waits)
  }
}

/** One line when a stage begins, one when it ends, and one every `sayMs` between. */
export function linesFor(say: (text: string) => void, mono: () => number): (status: JobStatus) => void {
  const reported = new Map<number, { readonly state: string; readonly atMs: number }>()
  return status => {
    for (const [i, stage] of status.stages.entries()) {
      const before = reported.get(i)
      const again = before?.state === stage.state
      if (stage.state === 'waiting' || again && (stage.state !== 'running' || mono() - before.atMs < sayMs)) continue
      reported.set(i, { state: stage.state, atMs: mono() })
      if (again) {
        say(`${stage.name}: ${stageLine(stage)}`)
        continue
      }
      const locality = stage.state === 'done' ? localityLine(stage.counters) : undefined
      const state = stage.state === 'running'
        ? plural(stage.tasks, 'task')
        : `${stage.state}, ${stageLine(stage)}, ${took(stage.startedMs, stage.finishedMs)}`
      say(`${stage.name}: ${state}${locality ? `, read ${locality}` : ''}`)
    }
  }
}
