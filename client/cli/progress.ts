// Progress bars on stderr of a terminal, drawn through printer.ts eight times a second and cleared at the end. In a pipe, with --quiet or
// with --json nothing is drawn.

import type { MultiBar, SingleBar } from 'cli-progress'
import { showText } from '../../src/base/quote.ts'
import { formatBytes, formatDuration } from '../../src/base/units.ts'
import { pad, segmentsOf, widthOf } from '../../src/base/width.ts'
import type { Printer } from './printer.ts'

export interface Bar {
  /** Sets the completed amount and, once known, the total. */
  update(done: number, total?: number, note?: string): void
}

export interface ProgressBars {
  readonly drawn: boolean
  /** A bar for bytes shows rate and remaining time; one for tasks shows counts. */
  bar(label: string, unit: 'bytes' | 'tasks', total?: number): Bar
  stop(): void
}

const nothing: ProgressBars = { drawn: false, bar: () => ({ update() {} }), stop() {} }

interface BarState {
  readonly label: string
  readonly unit: 'bytes' | 'tasks'
  readonly done: number
  readonly total: number | undefined
  readonly elapsedMs: number
  readonly note: string
}

const labelWidth = 24
/** A label is not made narrower for the sake of facts. */
const shortLabelWidth = 10

/**
 * One line of less than `columns`: `access.log   [=====>    ]  52%  1.2 GiB of 2.3 GiB  410 MiB/s  2.7 s left`. A narrow terminal has no
 * bar, then a shorter label, then fewer facts, the last ones first; a fact is shown as a whole or not at all.
 */
export function drawBar(state: BarState, columns: number): string {
  const { done, total, elapsedMs, unit } = state
  const fraction = total === undefined ? undefined : total === 0 ? 1 : Math.min(1, done / total)
  const facts: string[] = []
  if (fraction !== undefined) facts.push(`${String(Math.floor(fraction * 100)).padStart(3)}%`)
  if (unit === 'bytes') {
    facts.push(total === undefined ? formatBytes(done) : `${formatBytes(done)} of ${formatBytes(total)}`)
    if (elapsedMs >= 200) {
      const rate = (done / elapsedMs) * 1000
      facts.push(`${formatBytes(Math.round(rate))}/s`)
      if (total !== undefined && rate > 0 && done < total) facts.push(`${formatDuration(((total - done) / rate) * 1000)} left`)
    }
  } else if (total !== undefined && state.note === '') {
    facts.push(`${Math.floor(done)} of ${total}`)
  }
  const parts = facts.map((fact, i) => (i === 0 ? fact : `  ${fact}`))
  if (state.note !== '')
    showText(state.note).split(', ').forEach((part, i) => parts.push(`${i > 0 ? ', ' : parts.length > 0 ? '  ' : ''}${part}`))
  // A line that fills the last column would be wrapped by some terminals.
  const width = columns - 1
  const name = showText(state.label)
  const text = fitting(parts, width - Math.min(shortLabelWidth, widthOf(name)) - 2)
  const room = Math.min(30, width - labelWidth - widthOf(text) - 6)
  if (room < 5) {
    const wide = Math.max(0, Math.min(labelWidth, text === '' ? width : width - widthOf(text) - 2))
    const label = endOf(name, wide)
    return text === '' ? label : `${pad(label, wide)}  ${text}`
  }
  const filled = fraction === undefined ? 0 : Math.round(fraction * room)
  const drawn = `${'='.repeat(Math.max(0, filled - 1))}${filled > 0 ? (fraction === 1 ? '=' : '>') : ''}${' '.repeat(room - filled)}`
  return `${pad(endOf(name, labelWidth), labelWidth)}  [${drawn}]  ${text}`
}

/** The first parts that fit into `width`. */
function fitting(parts: readonly string[], width: number): string {
  let text = ''
  for (const part of parts) {
    if (widthOf(text) + widthOf(part) > width) break
    text += part
  }
  return text
}

/** A name, or its end of this width behind an ellipsis. */
function endOf(name: string, width: number): string {
  if (widthOf(name) <= width) return name
  let end = ''
  for (const { segment } of [...segmentsOf(name)].reverse()) {
    if (widthOf(segment) + widthOf(end) > width - 1) break
    end = segment + end
  }
  return width > 0 ? `…${end}` : ''
}

/** REQUIRES: the caller calls `stop`, also when its work fails. */
export async function openProgress(printer: Printer, options: { mono(): number; off?: boolean }): Promise<ProgressBars> {
  if (options.off || printer.quiet || !printer.errIsTerminal) return nothing
  const library = await import('cli-progress')
  const { MultiBar: Multi } = library.default
  const multi: MultiBar = new Multi({
    stream: printer.errStream,
    fps: 8,
    hideCursor: true,
    clearOnComplete: true,
    emptyOnZero: true,
    autopadding: false,
    gracefulExit: false,
    format: (_options, _params, payload: { state(): BarState }) => drawBar(payload.state(), printer.columns),
  })
  printer.drawing(text => { multi.log(`${text}\n`); multi.update() })
  return {
    drawn: true,
    bar(label, unit, total) {
      const started = options.mono()
      let state: BarState = { label, unit, done: 0, total, elapsedMs: 0, note: '' }
      const single: SingleBar = multi.create(total ?? 1, 0, { state: () => state })
      return {
        update(done, newTotal = state.total, note = state.note) {
          state = { ...state, done, total: newTotal, note, elapsedMs: options.mono() - started }
          if (newTotal !== undefined) single.setTotal(Math.max(1, newTotal))
          single.update(Math.min(done, newTotal ?? 1))
        },
      }
    },
    stop() {
      multi.stop()
      printer.drawing(undefined)
    },
  }
}
