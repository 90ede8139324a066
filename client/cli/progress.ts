// Progress bars on stderr of a terminal, drawn through printer.ts eight times a second and cleared at the end. In a pipe, with --quiet or
// with --json nothing is drawn.

import type { MultiBar, SingleBar } from 'cli-progress'
import { showText } from '../../src/base/quote.ts'
import { formatBytes, formatDuration } from '../../src/base/units.ts'
import { pad } from './table.ts'
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

/** One line of at most `columns`: `access.log   [=====>    ]  52%  1.2 GiB of 2.3 GiB  410 MiB/s  2.7 s left`. */
export function drawBar(state: BarState, columns: number): string {
  const { done, total, elapsedMs, unit } = state
  const fraction = total === undefined ? undefined : total === 0 ? 1 : Math.min(1, done / total)
  const name = showText(state.label)
  const label = name.length > labelWidth ? `…${name.slice(1 - labelWidth)}` : name
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
  if (state.note !== '') facts.push(showText(state.note))
  const text = facts.join('  ')
  const room = Math.min(30, columns - labelWidth - text.length - 6)
  const filled = fraction === undefined ? 0 : Math.round(fraction * room)
  const drawn =
    room < 5
      ? ''
      : `[${'='.repeat(Math.max(0, filled - 1))}${filled > 0 ? (fraction === 1 ? '=' : '>') : ''}${' '.repeat(room - filled)}]  `
  return `${pad(label, labelWidth)}  ${drawn}${text}`.slice(0, columns - 1)
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
