// Prints what a program over Datasets prints where it runs its steps. Its text comes in pieces of any size; lines are printed whole.

import type { CommandContext } from '../context.ts'

/** With --json stdout has the result of the command alone. REQUIRES: the caller calls `end`. */
export class ProgramOutput {
  readonly #context: Pick<CommandContext, 'printer' | 'json'>
  /** Beginnings of lines. */
  readonly #open = { stdout: '', stderr: '' }

  constructor(context: Pick<CommandContext, 'printer' | 'json'>) { this.#context = context }

  /** Lines come in pieces of any size. */
  readonly take = (text: string, stream: 'stdout' | 'stderr'): void => {
    const lines = text.split('\n')
    lines[0] = this.#open[stream] + lines[0]!
    this.#open[stream] = lines.pop()!
    for (const line of lines) this.#print(line, stream)
  }

  /** Prints last lines without an end. */
  end(): void {
    for (const stream of ['stdout', 'stderr'] as const) if (this.#open[stream] !== '') this.take('\n', stream)
  }

  #print(line: string, stream: 'stdout' | 'stderr'): void {
    const { printer, json } = this.#context
    if (stream === 'stderr' || json) printer.note(line)
    // A reader that is gone ends the command (Printer).
    else printer.line(line).catch(() => {})
  }
}
